//! Taking checkpoints of a directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use orchestrator_core::run::{ContentId, NewFiles, checkpoint::REMEMBERED_MAX};
use orchestrator_engine::views::CheckpointView;
use serde_json::Value;

use super::list::{FileList, ListedFile};
use super::scan::{Scan, Stamp, Unfit};
use super::store::Store;
use super::{COMPLETING, VALUE_BYTES_MAX};

/// Takes the checkpoints of one attempt.
#[derive(Debug)]
pub struct Saver {
    directory: PathBuf,
    store: Store,
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Lists of the checkpoints that must not be removed, newest first.
    kept: Vec<ContentId>,
    /// The last checkpoint there is.
    last: Option<Last>,
    /// The completing file of the last checkpoint.
    taken: Option<Stamp>,
    /// The completing file of a checkpoint that could not be taken.
    failed: Option<Stamp>,
}

#[derive(Debug, PartialEq)]
enum Last {
    Files(ContentId),
    Value(Value),
}

/// When a directory is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The attempt works: only what `checkpoint.json` completes is taken.
    Working,
    /// It has ended. Nobody writes any more.
    Ended {
        /// Whether it did well. An empty directory then says that there is nothing to go on from.
        well: bool,
    },
}

/// A checkpoint that was taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// Nothing but `checkpoint.json`: the journal holds all of it.
    Value(Value),
    /// Files, which are in the store.
    Files(NewFiles),
}

impl Saver {
    /// For the directory of an attempt that starts from the first of `checkpoints`, whose value is `value`.
    pub fn new(
        directory: PathBuf,
        store: Store,
        bytes_max: u64,
        checkpoints: &[CheckpointView],
        value: Option<&Value>,
    ) -> Saver {
        let list = |checkpoint: &CheckpointView| checkpoint.files.map(|files| files.list);
        let last = checkpoints.first().map(|first| match list(first) {
            Some(list) => Last::Files(list),
            None => Last::Value(value.cloned().unwrap_or_default()),
        });
        let state = State {
            kept: checkpoints.iter().filter_map(list).collect(),
            last,
            // The directory of an attempt that starts from nothing is empty.
            taken: (!checkpoints.is_empty()).then(|| stamp(&directory)).flatten(),
            failed: None,
        };
        Saver {
            directory,
            store,
            bytes_max,
            state: Mutex::new(state),
        }
    }

    /// The same for a directory whose content is not known to be that of any checkpoint.
    pub fn of_unknown(self) -> Saver {
        self.lock().taken = None;
        self
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where it puts what it takes.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether there is a checkpoint that an empty directory would take back.
    pub fn has_something(&self) -> bool {
        !matches!(self.lock().last, None | Some(Last::Value(Value::Null)))
    }

    /// Whether there is a new completing file. Costs one call of the system.
    pub fn is_due(&self) -> bool {
        let Some(found) = stamp(&self.directory) else {
            return false;
        };
        let state = self.lock();
        state.taken != Some(found) && state.failed != Some(found)
    }

    /// Takes a checkpoint if there is a new one.
    ///
    /// # Errors
    /// When there is one and it cannot be taken.
    pub fn take(&self, when: When) -> Result<Option<Taken>, Unfit> {
        let mut state = self.lock();
        let tried = stamp(&self.directory);
        let taken = self.try_to_take(when, &mut state);
        if taken.is_err() {
            state.failed = tried;
        }
        taken
    }

    fn try_to_take(&self, when: When, state: &mut State) -> Result<Option<Taken>, Unfit> {
        let before = Scan::of(&self.directory, self.bytes_max)?;
        if before.is_empty() {
            return Ok(nothing_left(when, state));
        }
        let completing = before.completing().copied();
        let is_waited_for = when == When::Working && completing.is_none();
        let is_taken = completing.is_some() && completing == state.taken;
        if is_waited_for {
            return Ok(None);
        }
        if let Some(newer) = before.newer_than_completing() {
            let newer = newer.to_owned();
            return match when {
                When::Working => Ok(None),
                When::Ended { .. } => Err(Unfit::Incomplete(newer)),
            };
        }
        if is_taken {
            return Ok(None);
        }
        let value = match completing {
            None => Value::Null,
            Some(completing) => match (self.value(completing), when) {
                // It may not be there as a whole yet.
                (Err(Unfit::NotJson(_)), When::Working) => return Ok(None),
                (value, _) => value?,
            },
        };
        let is_value_only = completing.is_some() && before.files.len() == 1;
        let files = match is_value_only {
            true => None,
            false => match self.copy(&before, when)? {
                Some(files) => Some(files),
                None => return Ok(None),
            },
        };
        if Scan::of(&self.directory, self.bytes_max)? != before {
            // Somebody writes: what was copied fits nothing.
            return Ok(None);
        }
        state.taken = completing;
        let Some(files) = files else {
            return Ok(value_alone(value, state));
        };
        let list = FileList::new(files);
        let content = self.store.write(&list.encode());
        let content = content.map_err(|error| self.unfit("saved", &self.directory, error))?;
        if state.last == Some(Last::Files(content)) {
            return Ok(None);
        }
        state.last = Some(Last::Files(content));
        state.kept.retain(|kept| *kept != content);
        state.kept.insert(0, content);
        // One more than the journal remembers: it may refuse this one.
        state.kept.truncate(REMEMBERED_MAX + 1);
        self.store.keep_only(&state.kept);
        let files = list.saved();
        Ok(Some(Taken::Files(NewFiles { files, value })))
    }

    /// Puts copies of all files into the store; `None` if something changes meanwhile.
    fn copy(&self, scan: &Scan, when: When) -> Result<Option<Vec<ListedFile>>, Unfit> {
        let mut files = Vec::with_capacity(scan.files.len());
        for (path, stamp) in &scan.files {
            let source = self.directory.join(path);
            let stored = match when {
                When::Working => self.store.copy_in(&source),
                When::Ended { .. } => self.store.link_in(&source),
            };
            let (bytes, sha256) = match stored {
                Ok(stored) => stored,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(self.unfit("saved", &source, error)),
            };
            if bytes != stamp.bytes {
                return Ok(None);
            }
            let path = path.clone();
            files.push(ListedFile { path, bytes, sha256 });
        }
        Ok(Some(files))
    }

    fn value(&self, completing: Stamp) -> Result<Value, Unfit> {
        if completing.bytes > VALUE_BYTES_MAX {
            return Err(Unfit::Value {
                bytes: completing.bytes,
                max: VALUE_BYTES_MAX,
            });
        }
        let path = self.directory.join(COMPLETING);
        let text = fs::read(&path).map_err(|error| self.unfit("read", &path, error))?;
        serde_json::from_slice(&text).map_err(Unfit::NotJson)
    }

    fn unfit(&self, what: &'static str, path: &Path, error: io::Error) -> Unfit {
        let path = path.strip_prefix(&self.directory).unwrap_or(path).to_owned();
        Unfit::Io { what, path, error }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The completing file as it is.
fn stamp(directory: &Path) -> Option<Stamp> {
    let metadata = fs::symlink_metadata(directory.join(COMPLETING)).ok()?;
    Some(Stamp::of(&metadata))
}

fn value_alone(value: Value, state: &mut State) -> Option<Taken> {
    if state.last.as_ref() == Some(&Last::Value(value.clone())) {
        return None;
    }
    state.last = Some(Last::Value(value.clone()));
    Some(Taken::Value(value))
}

/// An attempt that did well and removed what it started from leaves nothing to start from.
fn nothing_left(when: When, state: &mut State) -> Option<Taken> {
    let is_over = when == When::Ended { well: true };
    match &state.last {
        None => None,
        Some(_) if is_over => value_alone(Value::Null, state),
        Some(_) => None,
    }
}
