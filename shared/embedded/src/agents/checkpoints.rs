//! The checkpoints of one attempt of a command: what it starts from, what it saves, what it leaves.
//!
//! An attempt works in a directory of its own, filled with the last checkpoint the journal has. What an attempt that was
//! stopped or killed left behind is looked through when the next one of the same epoch begins; in a new epoch it is removed
//! unread, so that a task which starts afresh starts from nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::run::{
    Failure, FailureClass, RejectedCheckpoint, ReportKind, checkpoint::REMEMBERED_MAX,
};
use orchestrator_engine::envelope::Envelope;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::views::{At, CheckpointView, FilesView};
use serde_json::Value;

use super::files::{AttemptFiles, is_empty, make};
use super::log::LogWriter;
use super::output::failure;
use crate::checkpoints::restore::restore;
use crate::checkpoints::saver::{Saver, Taken, When};
use crate::checkpoints::scan::Unfit;
use crate::checkpoints::store::Store;
use crate::clock::SystemClock;
use crate::host::input::{Inbox, Input};

/// Takes checkpoints while the attempt works, and at its end.
pub(super) struct Checkpoints {
    shared: Arc<Shared>,
    /// A checkpoint being taken; the agent and its output do not wait for that.
    taking: Option<JoinHandle<()>>,
}

struct Shared {
    saver: Saver,
    speaker: Speaker,
}

/// Says what becomes of checkpoints.
struct Speaker {
    key: AttemptKey,
    inbox: Inbox,
    /// The last problem, which is not told twice.
    told: Mutex<Option<String>>,
}

impl Checkpoints {
    /// Makes the directory of the attempt. The envelope then says what is in it.
    pub(super) fn begin(
        key: AttemptKey,
        envelope: &mut Arc<Envelope>,
        files: &AttemptFiles,
        bytes_max: u64,
        inbox: &Inbox,
        log: &mut LogWriter,
    ) -> Result<Checkpoints, Failure> {
        let begin = Begin {
            files,
            store: Store::new(files.saved.clone()),
            bytes_max,
            speaker: Speaker {
                key,
                inbox: inbox.clone(),
                told: Mutex::default(),
            },
        };
        if !files.is_new {
            begin.look_through(envelope, log);
        }
        match envelope.checkpoints.is_empty() {
            true => drop(make(&files.checkpoints).map_err(|error| {
                let path = files.checkpoints.display();
                transient(format!("cannot make '{path}': {error} (check the disk)"))
            })?),
            false => begin.restore(envelope, log)?,
        }
        let (checkpoints, value) = (&envelope.checkpoints, envelope.checkpoint.as_deref());
        let saver = Saver::new(
            files.checkpoints.clone(),
            begin.store,
            bytes_max,
            checkpoints,
            value,
        );
        Ok(Checkpoints {
            shared: Arc::new(Shared {
                saver,
                speaker: begin.speaker,
            }),
            taking: None,
        })
    }

    /// Takes a checkpoint if there is a new one and none is being taken.
    pub(super) fn look(&mut self) {
        if self.taking.as_ref().is_some_and(|taking| !taking.is_finished()) || !self.shared.saver.is_due() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let take = move || shared.speaker.tell(shared.saver.take(When::Working));
        // Without a thread it is tried again the next time.
        self.taking = Builder::new().name("checkpoint".to_owned()).spawn(take).ok();
    }

    /// The attempt has ended by itself: takes what it left.
    pub(super) fn end(mut self, well: bool) {
        self.wait();
        let Shared { saver, speaker } = &*self.shared;
        let is_empty = is_empty(saver.directory());
        if is_empty && !saver.has_something() {
            return;
        }
        let taken = saver.take(When::Ended { well });
        let is_done_with = taken.is_ok() && !is_empty;
        speaker.tell(taken);
        if is_done_with {
            discard(saver.directory());
        }
    }

    /// The attempt was stopped: what it left is for the next one to look through.
    pub(super) fn leave(mut self) {
        self.wait();
    }

    fn wait(&mut self) {
        if let Some(taking) = self.taking.take() {
            // Had it panicked, there would be no checkpoint, and nothing else to do about it.
            let _ = taking.join();
        }
    }
}

/// What is needed before the attempt begins.
struct Begin<'a> {
    files: &'a AttemptFiles,
    store: Store,
    bytes_max: u64,
    speaker: Speaker,
}

impl Begin<'_> {
    /// Takes what earlier attempts of this epoch left, oldest first, and removes what is of no more use.
    fn look_through(&self, envelope: &mut Arc<Envelope>, log: &mut LogWriter) {
        let (of_epoch, others) = self.files.left_by_earlier(self.speaker.key);
        others.iter().for_each(|directory| discard(directory));
        for directory in of_epoch {
            let saver = Saver::new(
                directory.clone(),
                self.store.clone(),
                self.bytes_max,
                &envelope.checkpoints,
                envelope.checkpoint.as_deref(),
            );
            let taken = saver.of_unknown().take(When::Ended { well: false });
            // After a failure of the system it may go better the next time; its own directory is needed now.
            let may_be_kept = matches!(taken, Err(Unfit::Io { .. }));
            let is_done_with = !may_be_kept || directory == self.files.checkpoints;
            if let Ok(Some(taken)) = &taken {
                log.note("an earlier attempt was ended before it could save this checkpoint");
                note(envelope, taken, self.speaker.key);
            }
            self.speaker.tell(taken);
            if is_done_with {
                discard(&directory);
            }
        }
    }

    /// Fills the directory with the newest undamaged checkpoint.
    fn restore(&self, envelope: &mut Arc<Envelope>, log: &mut LogWriter) -> Result<(), Failure> {
        let directory = &self.files.checkpoints;
        let value = envelope.checkpoint.as_deref();
        let restored = restore(&self.store, &envelope.checkpoints, value, directory)
            .map_err(|error| transient(format!("the checkpoint cannot be restored: {error}")))?;
        if restored.rejected.is_empty() {
            return Ok(());
        }
        let envelope = Arc::make_mut(envelope);
        let used = restored.used.unwrap_or(envelope.checkpoints.len());
        envelope.checkpoints.drain(..used);
        envelope.checkpoint = restored.value.map(Arc::new);
        let reasons: Vec<&str> = restored
            .rejected
            .iter()
            .map(|rejected| rejected.reason.as_str())
            .collect();
        let instead = match envelope.checkpoints.first() {
            Some(first) => format!("epoch {}, attempt {}", first.epoch, first.attempt),
            None => "the beginning".to_owned(),
        };
        let problem = format!("{}; the attempt starts from {instead}", reasons.join("; "));
        log.note(&problem);
        envelope.checkpoint_problem = Some(problem);
        for rejected in restored.rejected {
            self.speaker
                .say(ReportKind::CheckpointRejected(Arc::new(rejected)));
        }
        Ok(())
    }
}

impl Speaker {
    fn say(&self, kind: ReportKind) {
        self.inbox.send(Input::Said(self.key, kind));
    }

    fn tell(&self, taken: Result<Option<Taken>, Unfit>) {
        match taken {
            Ok(None) => {}
            Ok(Some(Taken::Value(value))) => self.say(ReportKind::Checkpoint(Arc::new(value))),
            Ok(Some(Taken::Files(saved))) => self.say(ReportKind::FilesSaved(Arc::new(saved))),
            Err(unfit) => {
                let reason = format!("of the checkpoint directory, {unfit}");
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                if told.as_ref() != Some(&reason) {
                    *told = Some(reason.clone());
                    let rejected = RejectedCheckpoint { files: None, reason };
                    self.say(ReportKind::CheckpointRejected(Arc::new(rejected)));
                }
            }
        }
    }
}

/// Puts a checkpoint in front of those the attempt knows, as the journal will.
fn note(envelope: &mut Arc<Envelope>, taken: &Taken, key: AttemptKey) {
    let envelope = Arc::make_mut(envelope);
    let mut checkpoint = CheckpointView {
        epoch: key.epoch,
        attempt: key.attempt,
        saved_at: At(SystemClock.now()),
        files: None,
        value: None,
    };
    let before = envelope.checkpoint.take();
    match taken {
        Taken::Value(Value::Null) => {
            envelope.checkpoints.clear();
            return;
        }
        Taken::Value(value) => {
            envelope.checkpoints.clear();
            envelope.checkpoint = Some(Arc::new(value.clone()));
        }
        Taken::Files(saved) => {
            if let Some(last) = envelope
                .checkpoints
                .first_mut()
                .filter(|last| last.files.is_none())
            {
                last.value = before.as_deref().cloned();
            }
            checkpoint.files = Some(FilesView::of(saved.files));
            envelope.checkpoint = Some(Arc::new(saved.value.clone())).filter(|value| **value != Value::Null);
        }
    }
    envelope.checkpoints.insert(0, checkpoint);
    envelope.checkpoints.truncate(REMEMBERED_MAX);
}

fn transient(message: String) -> Failure {
    failure(FailureClass::Transient, message, None)
}

/// Removes a directory that is of no more use.
fn discard(directory: &Path) {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(directory = %directory.display(), %error, "an old checkpoint directory stays");
        }
        _ => {}
    }
}

impl AttemptFiles {
    /// Checkpoint directories of attempts before (or an earlier start of) this one: those of its epoch, oldest first, and
    /// the others.
    fn left_by_earlier(&self, key: AttemptKey) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let mut of_epoch = Vec::new();
        let mut others = Vec::new();
        let task = self.checkpoints.parent().unwrap_or(Path::new(""));
        for entry in fs::read_dir(task).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some((epoch, attempt, node)) = name.to_str().and_then(super::files::checkpoint_of) else {
                continue;
            };
            match (epoch, node) == (key.epoch, key.node.0) {
                true => of_epoch.push((attempt, entry.path())),
                false => others.push(entry.path()),
            }
        }
        of_epoch.sort_unstable();
        (of_epoch.into_iter().map(|(_, path)| path).collect(), others)
    }
}
