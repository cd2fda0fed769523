//! Where the files of runs, tasks and attempts are.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use orchestrator_core::ids::{AttemptKey, RunId};

/// The files of one run.
#[derive(Debug, Clone)]
pub struct RunFiles {
    root: PathBuf,
    run: RunId,
}

/// The directories and files of one attempt.
#[derive(Debug)]
pub(super) struct AttemptFiles {
    pub shared: PathBuf,
    /// Where the attempt keeps checkpoints; not made yet.
    pub checkpoints: PathBuf,
    /// Where checkpoints that were taken are.
    pub saved: PathBuf,
    /// Whether no attempt of the task has been here before.
    pub is_new: bool,
    pub envelope: PathBuf,
    pub output: PathBuf,
    pub log: PathBuf,
}

/// What an attempt printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Epoch of the task.
    pub epoch: u32,
    /// Attempt within the epoch.
    pub attempt: u32,
    /// The bytes, not necessarily UTF-8.
    pub bytes: Vec<u8>,
}

/// A log cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Nothing was printed, or the task has not run on this machine.
    #[error("task '{task}' of run {run} has no log (it has not run, or its agent printed nothing)")]
    Missing {
        /// The run.
        run: RunId,
        /// The task.
        task: String,
    },
    /// The file cannot be read.
    #[error("cannot read '{}': {error} (check its permissions)", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// No thread to read it.
    #[error("the log cannot be read at the moment (try again)")]
    Unavailable,
}

/// What an attempt printed.
const LOG: &str = "log.txt";
/// The directory of an attempt's checkpoints; the number of its node follows.
const CHECKPOINT: &str = "checkpoint-";

/// Largest log handed out at once; larger than any that is written with the default limits.
const LOG_READ_MAX: u64 = 64 << 20;

impl RunFiles {
    /// The files of `run` under the directory of all runs.
    pub fn new(runs: &Path, run: RunId) -> RunFiles {
        let root = runs.join(run.to_string());
        RunFiles { root, run }
    }

    /// The directory that all tasks of the run share.
    pub fn shared(&self) -> PathBuf {
        self.root.join("files")
    }

    fn task(&self, task: &str) -> PathBuf {
        self.root.join("tasks").join(file_name(task))
    }

    /// A file of one attempt. Not in a directory of its own: making one costs as much as starting a small program.
    fn of_attempt(&self, task: &str, epoch: u32, attempt: u32, file: &str) -> PathBuf {
        self.task(task).join(format!("{epoch}-{attempt}.{file}"))
    }

    /// Makes the directories of an attempt, but for that of its checkpoints; an output and a log left by an earlier start
    /// of it are removed.
    pub(super) fn prepare(&self, task: &str, key: AttemptKey) -> io::Result<AttemptFiles> {
        let shared = self.shared();
        // From the top down, so that each is one call.
        let is_new = make(&self.task(task))?;
        make(&shared)?;
        let file = |name: &str| self.of_attempt(task, key.epoch, key.attempt, name);
        let files = AttemptFiles {
            envelope: file("envelope.json"),
            output: file("output.json"),
            log: file(LOG),
            // The name of an item of a `for_each` may stand for another node after the task has expanded again.
            checkpoints: file(&format!("{CHECKPOINT}{}", key.node.0)),
            saved: self.task(task).join("saved"),
            shared,
            is_new,
        };
        if !is_new {
            for path in [&files.output, &files.log] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(files)
    }

    /// Reads a log; `attempt` is (epoch, attempt), `None` the latest that has one.
    pub(crate) fn log(&self, task: &str, attempt: Option<(u32, u32)>) -> Result<Log, LogError> {
        let missing = || LogError::Missing {
            run: self.run,
            task: task.to_owned(),
        };
        let (epoch, attempt) = match attempt {
            Some(attempt) => attempt,
            None => self.latest_log(task).ok_or_else(missing)?,
        };
        let path = self.of_attempt(task, epoch, attempt, LOG);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(LOG_READ_MAX).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(Log {
                epoch,
                attempt,
                bytes,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
            Err(error) => Err(LogError::Io { path, error }),
        }
    }

    fn latest_log(&self, task: &str) -> Option<(u32, u32)> {
        let entries = fs::read_dir(self.task(task)).ok()?;
        let attempts = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let (epoch, attempt, file) = attempt_of(name.to_str()?)?;
            (file == LOG).then_some((epoch, attempt))
        });
        attempts.max()
    }
}

/// Epoch, attempt and the rest of the name of a file of an attempt.
fn attempt_of(name: &str) -> Option<(u32, u32, &str)> {
    let (attempt, file) = name.split_once('.')?;
    let (epoch, attempt) = attempt.split_once('-')?;
    Some((epoch.parse().ok()?, attempt.parse().ok()?, file))
}

/// Epoch, attempt and node of the name of a directory of checkpoints.
pub(super) fn checkpoint_of(name: &str) -> Option<(u32, u32, u32)> {
    let (epoch, attempt, file) = attempt_of(name)?;
    Some((epoch, attempt, file.strip_prefix(CHECKPOINT)?.parse().ok()?))
}

/// Whether there is nothing in a directory.
pub(super) fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

/// Creates a directory, with the ones above it only when they are missing. Whether it is new.
pub(super) fn make(directory: &Path) -> io::Result<bool> {
    match fs::create_dir(directory) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(directory)?;
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// A task's name as the name of a directory: different names give different directories, none of them hidden or special.
fn file_name(task: &str) -> String {
    let mut name = String::with_capacity(task.len());
    for (index, byte) in task.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'[' | b']' => {
                name.push(char::from(byte))
            }
            b'.' if index > 0 => name.push('.'),
            other => {
                // Writing to a string does not fail.
                let _ = write!(name, "%{other:02X}");
            }
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_names_become_plain_file_names() {
        for (task, expected) in [
            ("train", "train"),
            ("train[3]", "train[3]"),
            ("a.b", "a.b"),
            ("..", "%2E."),
            ("a/../b", "a%2F..%2Fb"),
            ("", ""),
            ("%2F", "%252F"),
        ] {
            assert_eq!(file_name(task), expected);
        }
    }

    #[test]
    fn the_latest_log_is_found_and_an_earlier_start_is_cleared() {
        let temp = tempfile::tempdir().unwrap();
        let files = RunFiles::new(temp.path(), RunId::from_parts(1, 1));
        let key = |epoch, attempt| AttemptKey {
            run: files.run,
            node: orchestrator_core::ids::NodeIx(0),
            epoch,
            attempt,
        };
        for (epoch, attempt) in [(1, 2), (1, 10), (2, 1)] {
            let files = files.prepare("t", key(epoch, attempt)).unwrap();
            fs::write(&files.log, format!("{epoch}.{attempt}")).unwrap();
        }
        let log = files.log("t", None).unwrap();
        assert_eq!((log.epoch, log.attempt, log.bytes), (2, 1, b"2.1".to_vec()));
        assert_eq!(files.log("t", Some((1, 10))).unwrap().bytes, b"1.10");
        files.prepare("t", key(2, 1)).unwrap();
        assert!(matches!(
            files.log("t", Some((2, 1))),
            Err(LogError::Missing { .. })
        ));
        assert_eq!(files.log("t", None).unwrap().bytes, b"1.10");
    }
}
