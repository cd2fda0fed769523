//! A look at a directory: which files a checkpoint of it would have, and whether they are ready.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{COMPLETING, DEPTH_MAX, FILES_MAX, PATH_BYTES_MAX};

/// Endings of names of files that are being written.
const UNFINISHED: [&str; 2] = [".tmp", ".part"];

/// The files of a directory, by their path in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    pub(super) files: BTreeMap<String, Stamp>,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Changes whenever a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub bytes: u64,
    /// When the content was written last, nanoseconds.
    written_ns: i128,
    file: (u64, u64),
}

/// Why a directory is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Something in it cannot be saved.
    #[error("'{path}' is {what} (a checkpoint has files and directories only)")]
    Kind {
        /// Which.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A name that is no text.
    #[error("'{0}' is not UTF-8 (give the file another name)")]
    Name(String),
    /// A long path.
    #[error("'{}...' is longer than {PATH_BYTES_MAX} bytes or deeper than {DEPTH_MAX} directories", .0.chars().take(80).collect::<String>())]
    Path(String),
    /// Many files.
    #[error("it has more than {FILES_MAX} files (put them into one archive)")]
    Files,
    /// Many bytes.
    #[error("it has {bytes} bytes, more than {max} (raise limits.agent_checkpoint_bytes_max)")]
    Bytes {
        /// How many.
        bytes: u64,
        /// How many there may be.
        max: u64,
    },
    /// A value that is too large for the journal.
    #[error("'{COMPLETING}' has {bytes} bytes, more than {max} (keep large state in other files beside it)")]
    Value {
        /// How many.
        bytes: u64,
        /// How many there may be.
        max: u64,
    },
    /// A value that is none.
    #[error("'{COMPLETING}' is not JSON: {0} (write it under another name and rename it)")]
    NotJson(serde_json::Error),
    /// A checkpoint that is half made.
    #[error(
        "'{0}' is newer than '{COMPLETING}', so that they may not belong together (write '{COMPLETING}' last)"
    )]
    Incomplete(String),
    /// The system refused.
    #[error("'{}' cannot be {what}: {error} (check the disk)", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl Scan {
    /// Looks at a directory; one that does not exist is empty.
    ///
    /// # Errors
    /// With the first thing that cannot be part of a checkpoint.
    pub fn of(directory: &Path, bytes_max: u64) -> Result<Scan, Unfit> {
        let mut scan = Scan::default();
        scan.enter(directory, "", 0)?;
        if scan.bytes > bytes_max {
            return Err(Unfit::Bytes {
                bytes: scan.bytes,
                max: bytes_max,
            });
        }
        Ok(scan)
    }

    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The file that completes the checkpoint.
    pub(super) fn completing(&self) -> Option<&Stamp> {
        self.files.get(COMPLETING)
    }

    /// A file that was written after the one that completes the checkpoint, if there is one.
    pub(super) fn newer_than_completing(&self) -> Option<&str> {
        let completing = self.completing()?;
        let newer = |(_, file): &(&String, &Stamp)| file.written_ns > completing.written_ns;
        self.files.iter().find(newer).map(|(path, _)| path.as_str())
    }

    fn enter(&mut self, directory: &Path, prefix: &str, depth: usize) -> Result<(), Unfit> {
        let io = |what: &'static str, path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| Unfit::Io { what, path, error }
        };
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io("read", directory)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(io("read", directory))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(Unfit::Name(format!("{prefix}{}", name.to_string_lossy())));
            };
            if UNFINISHED.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            let path = format!("{prefix}{name}");
            if path.len() > PATH_BYTES_MAX || depth >= DEPTH_MAX {
                return Err(Unfit::Path(path));
            }
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // It was renamed or removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io("read", &entry.path())(error)),
            };
            if metadata.is_dir() {
                self.enter(&entry.path(), &format!("{path}/"), depth + 1)?;
                continue;
            }
            if let Some(what) = unfit(&metadata) {
                return Err(Unfit::Kind { path, what });
            }
            self.bytes += metadata.len();
            self.files.insert(path, Stamp::of(&metadata));
            if self.files.len() > FILES_MAX {
                return Err(Unfit::Files);
            }
        }
        Ok(())
    }
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            bytes: metadata.len(),
            written_ns: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
            file: (metadata.dev(), metadata.ino()),
        }
    }
}

/// What something is, if it is neither a file nor a directory.
fn unfit(metadata: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_symlink() => Some("a symbolic link"),
        () if kind.is_fifo() => Some("a pipe"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}
