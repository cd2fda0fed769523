//! The data directory: who owns it, and what is where.
//!
//! ```text
//! DATA/orchestrator.db        every run (SQLite, with -wal and -shm beside it)
//! DATA/lock                   locked by the process that owns the directory
//! DATA/owner.json             where that process serves its API (mode 0600)
//! DATA/secret                 signs task tokens (mode 0600)
//! DATA/runs/RUN/...           files of agents, see [`crate::agents`]
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::random_bytes;

/// Paths inside a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

/// A data directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Somebody else owns it.
    #[error(
        "the data directory '{}' is in use by process {} (stop it, or talk to it with --endpoint)",
        dir.display(),
        pid.map_or("?".to_owned(), |pid| pid.to_string())
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The owner, if it said.
        pid: Option<u32>,
    },
    /// The system refused.
    #[error("cannot {what} '{}': {error} (check that the directory is writable and the disk has space)", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The process that owns a data directory, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its process id.
    pub pid: u32,
    /// Where it serves its API, as in `http://127.0.0.1:8080`.
    pub endpoint: String,
    /// The bearer token its API wants, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// The exclusive right to a data directory; given back when dropped.
#[derive(Debug)]
pub struct Ownership {
    dir: DataDir,
    _lock: File,
}

const LOCK_TRIES: u32 = 25;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

impl DataDir {
    /// The directory `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> DataDir {
        DataDir { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root.join("orchestrator.db")
    }

    /// The directory of runs' files.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    fn owner_file(&self) -> PathBuf {
        self.root.join("owner.json")
    }

    /// The live process that owns the directory and serves its API.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] when it is owned by a process that does not (yet) serve an API.
    pub fn owner(&self) -> Result<Option<Owner>, DataDirError> {
        let path = self.lock_file();
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("open", &path, error)),
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => match self.read_owner() {
                Some(owner) => Ok(Some(owner)),
                None => Err(self.in_use()),
            },
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path, error)),
        }
    }

    /// Creates the directory if need be and takes the exclusive right to it.
    ///
    /// # Errors
    /// When another process has it, or the directory cannot be written.
    pub fn own(&self) -> Result<Ownership, DataDirError> {
        fs::create_dir_all(self.runs()).map_err(|error| io_error("create", &self.runs(), error))?;
        let root = fs::canonicalize(&self.root).map_err(|error| io_error("open", &self.root, error))?;
        let dir = DataDir { root };
        let path = dir.lock_file();
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| io_error("open", &path, error))?;
        // Somebody who looks for the owner holds a shared lock for an instant.
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => {
                    remove_if_there(&dir.owner_file())?;
                    return Ok(Ownership { dir, _lock: lock });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(io_error("lock", &path, error)),
            }
        }
        Err(dir.in_use())
    }

    fn in_use(&self) -> DataDirError {
        DataDirError::InUse {
            dir: self.root.clone(),
            pid: self.read_owner().map(|owner| owner.pid),
        }
    }

    fn read_owner(&self) -> Option<Owner> {
        serde_json::from_slice(&fs::read(self.owner_file()).ok()?).ok()
    }
}

impl Ownership {
    /// The directory, as an absolute path.
    pub fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// Tells others where the owner serves its API.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&self, owner: &Owner) -> Result<(), DataDirError> {
        let text = serde_json::to_vec(owner).expect("plain data with text keys");
        write_private(&self.dir.owner_file(), &text)
    }

    /// The bytes that sign task tokens; drawn when the directory is new.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn secret(&self) -> Result<Vec<u8>, DataDirError> {
        const LENGTH: usize = 32;
        let path = self.dir.root.join("secret");
        match fs::read(&path) {
            Ok(secret) if secret.len() == LENGTH => return Ok(secret),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error("read", &path, error)),
        }
        let secret: [u8; LENGTH] = random_bytes();
        write_private(&path, &secret)?;
        Ok(secret.to_vec())
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next owner; readers check the lock first.
        let _ = remove_if_there(&self.dir.owner_file());
    }
}

/// Writes a file that is only ever seen complete and only by its owner.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), DataDirError> {
    let new = path.with_extension("new");
    remove_if_there(&new)?;
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|error| io_error("write", path, error))
}

fn remove_if_there(path: &Path) -> Result<(), DataDirError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path, error)),
        _ => Ok(()),
    }
}

fn io_error(what: &'static str, path: &Path, error: io::Error) -> DataDirError {
    DataDirError::Io {
        what,
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_has_one_owner_who_can_be_found() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().join("data"));
        assert_eq!(dir.owner().unwrap(), None);
        let ownership = dir.own().unwrap();
        assert!(matches!(dir.owner(), Err(DataDirError::InUse { pid: None, .. })));
        let owner = Owner {
            pid: 7,
            endpoint: "http://127.0.0.1:1".to_owned(),
            token: Some("t".to_owned()),
        };
        ownership.announce(&owner).unwrap();
        assert_eq!(dir.owner().unwrap(), Some(owner));
        assert!(matches!(dir.own(), Err(DataDirError::InUse { pid: Some(7), .. })));
        drop(ownership);
        assert_eq!(dir.owner().unwrap(), None);
        dir.own().unwrap();
    }

    #[test]
    fn the_secret_lasts_and_is_private() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path());
        let secret = dir.own().unwrap().secret().unwrap();
        assert_eq!(dir.own().unwrap().secret().unwrap(), secret);
        let mode = fs::metadata(temp.path().join("secret"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!((secret.len(), mode & 0o777), (32, 0o600));
    }
}
