//! `checkpoint.json` in the directory of checkpoints: what the command writes there is reported, so that the next attempt
//! finds it there, on whatever machine it is made. Other files do not travel: they stay where the directory is, if the
//! surroundings name one that lasts; otherwise they are lost with the attempt, which is reported.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use orchestrator_core::run::{RejectedCheckpoint, ReportKind};
use orchestrator_engine::env_vars;
use orchestrator_engine::views::CheckpointView;
use serde_json::{Value, json};

use super::Envelope;
use super::files::{Files, path_of};
use super::reporter::Reporter;
use super::watch::{Noticed, Stop};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The file.
const NAME: &str = "checkpoint.json";
/// Largest checkpoint, bytes; larger state belongs into a store of its own, and its name into the checkpoint.
const BYTES_MAX: u64 = 512 << 10;
/// How often the file is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// The checkpoint of one attempt.
#[derive(Debug)]
pub(super) struct Checkpoints {
    file: PathBuf,
    reporter: Arc<Reporter>,
    /// The last one the server knows.
    known: Mutex<Option<Value>>,
}

impl Checkpoints {
    /// Puts the last checkpoint of the task where the command looks for it, unless there is one already.
    pub(super) fn restored(files: &Files, reporter: Arc<Reporter>) -> Result<Checkpoints, Failure> {
        let file = files.checkpoints.join(NAME);
        let known = reporter.envelope.checkpoint.clone();
        if let Some(checkpoint) = known.as_ref().filter(|_| !file.exists()) {
            std::fs::write(&file, checkpoint.to_string()).map_err(|error| {
                Failure::unavailable(format!(
                    "cannot write '{}': {error} (is the disk full?)",
                    file.display()
                ))
            })?;
        }
        Ok(Checkpoints {
            file,
            reporter,
            known: Mutex::new(known),
        })
    }

    /// The command has ended: files that nobody will find again are reported.
    pub(super) fn tell_what_is_left(&self, files: &Files) -> Result<(), Failure> {
        let name_of = |entry: std::io::Result<std::fs::DirEntry>| Some(entry.ok()?.file_name());
        let lost = std::fs::read_dir(&files.checkpoints)
            .into_iter()
            .flatten()
            .filter_map(name_of)
            .find(|name| name != NAME);
        let Some(lost) = lost.filter(|_| files.drops_checkpoints) else {
            return Ok(());
        };
        let reason = format!(
            "'{}' is not saved: agent exec keeps only '{NAME}' (name a directory that lasts in ORCHESTRATOR_CHECKPOINT_DIR, or keep the file elsewhere and its name in '{NAME}')",
            lost.to_string_lossy()
        );
        let rejected = RejectedCheckpoint { files: None, reason };
        let report = ReportKind::CheckpointRejected(Arc::new(rejected));
        self.reporter.report(&report).map(drop)
    }

    pub(super) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Reports the checkpoint if it is new. One that is being written is left for the next time.
    pub(super) fn forward(&self) -> Result<(), Failure> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(size) = std::fs::metadata(&self.file).map(|metadata| metadata.len()) else {
            return Ok(());
        };
        if size > BYTES_MAX {
            return Err(Failure::usage(format!(
                "'{NAME}' has {size} bytes, more than {BYTES_MAX} (keep large state elsewhere and its name in the checkpoint)"
            )));
        }
        let text = std::fs::read(&self.file).unwrap_or_default();
        let Ok(checkpoint) = serde_json::from_slice::<Value>(&text) else {
            return Ok(());
        };
        if known.as_ref() == Some(&checkpoint) {
            return Ok(());
        }
        let report = ReportKind::Checkpoint(Arc::new(checkpoint.clone()));
        self.reporter.report(&report)?;
        *known = Some(checkpoint);
        Ok(())
    }
}

/// The envelope, without checkpoints whose files are with another host: the attempt starts from the newest one that is a
/// value only, and is told why.
pub(super) fn without_files(mut envelope: Envelope, text: String, output: &Output) -> (Envelope, String) {
    let has_files = |checkpoint: &CheckpointView| checkpoint.files.is_some();
    let is_here = path_of(env_vars::ORCHESTRATOR_CHECKPOINT_DIR).is_some();
    if is_here || !envelope.checkpoints.first().is_some_and(has_files) {
        return (envelope, text);
    }
    envelope.checkpoints.retain(|checkpoint| !has_files(checkpoint));
    envelope.checkpoint = envelope.checkpoints.first().and_then(|first| first.value.clone());
    let problem = "the files of the last checkpoint are with the host that saved them, where agent exec cannot get them";
    output.note(&format!("error: {problem}"));
    let mut told: Value = serde_json::from_str(&text).unwrap_or_default();
    told["checkpoint"] = json!(envelope.checkpoint);
    told["checkpoints"] = json!(envelope.checkpoints);
    told["checkpoint_problem"] = json!(problem);
    (envelope, told.to_string())
}

/// Forwards checkpoints from a thread of its own, as long as anybody listens. An attempt that is over is noticed.
pub(super) fn forward_while_it_works(checkpoints: Arc<Checkpoints>, noticed: Sender<Noticed>) {
    thread::spawn(move || {
        loop {
            thread::sleep(PERIOD);
            // What cannot be sent now is sent next time.
            if let Err(failure) = checkpoints.forward()
                && failure.exit == Exit::Refused
            {
                // The command may have ended meanwhile.
                let _ = noticed.send(Noticed::Stop(Stop::Stale(failure)));
                return;
            }
        }
    });
}
