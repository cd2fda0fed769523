//! Files named after their content.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use orchestrator_core::run::{ContentId, SavedFiles};
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::list::{FileList, ListedFile};

/// Bytes copied at a time.
const CHUNK_BYTES: usize = 256 << 10;
/// Beginning of the names of files that are being stored.
const NEW: &str = "new-";
/// Longest list that is read: one of the most files with the longest paths fits.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// The saved files of one task.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

/// Saved files are not what was saved.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// One is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// One was cut off or has grown.
    #[error("{what} has {found} bytes instead of {expected}")]
    Length {
        /// Which.
        what: String,
        /// How many it has.
        found: u64,
        /// How many were saved.
        expected: u64,
    },
    /// One has other bytes.
    #[error("{0} has another SHA-256 than what was saved")]
    Content(String),
    /// The list makes no sense although it is what was saved.
    #[error("the list of files cannot be used: {0}")]
    List(String),
}

/// Why files could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// They are damaged: trying again will not help.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// They could not be read or written now.
    #[error("cannot {what} '{}': {error} (check the disk)", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl Store {
    /// The files in this directory, which need not exist.
    pub fn new(directory: PathBuf) -> Store {
        Store { directory }
    }

    /// Where a content is stored.
    pub fn path(&self, content: ContentId) -> PathBuf {
        self.directory.join(content.to_string())
    }

    /// Whether a content is stored, going by its name.
    pub fn has(&self, content: ContentId) -> bool {
        self.path(content).exists()
    }

    /// Stores a copy of a file. Its length and content, as they were copied.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn copy_in(&self, source: &Path) -> io::Result<(u64, ContentId)> {
        let mut from = open(source)?;
        let (path, mut to) = self.begin()?;
        let copied = copy(&mut from, &mut to);
        self.finish(&path, copied)
    }

    /// Stores a file that nobody will write to any more, without copying it where the file system can.
    ///
    /// # Errors
    /// When it cannot be read or stored.
    pub fn link_in(&self, source: &Path) -> io::Result<(u64, ContentId)> {
        let hashed = copy(&mut open(source)?, &mut io::sink())?;
        fs::create_dir_all(&self.directory)?;
        let path = self.new_name();
        match fs::hard_link(source, &path) {
            Ok(()) => self.finish(&path, Ok(hashed)),
            Err(_) => self.copy_in(source),
        }
    }

    /// Stores some bytes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, bytes: &[u8]) -> io::Result<ContentId> {
        let (path, mut to) = self.begin()?;
        let copied = copy(&mut &bytes[..], &mut to);
        self.finish(&path, copied).map(|(_, content)| content)
    }

    /// Stores what comes from elsewhere, if it is the content it is said to be.
    ///
    /// # Errors
    /// When it is not, or cannot be read or written.
    pub fn receive(&self, from: &mut impl Read, bytes: u64, content: ContentId) -> io::Result<()> {
        let (path, mut to) = self.begin()?;
        // One byte more, so that something longer is noticed.
        let copied = copy(&mut from.take(bytes.saturating_add(1)), &mut to);
        match copied {
            Ok(found) if found == (bytes, content) => self.finish(&path, copied).map(drop),
            other => {
                remove(&path);
                let wrong = |_| io::Error::other("it is not what was saved");
                Err(other.map_or_else(|error| error, wrong))
            }
        }
    }

    /// The list of the files of a checkpoint.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub fn list(&self, files: SavedFiles) -> Result<FileList, RestoreError> {
        const WHAT: &str = "the list of files";
        let path = self.path(files.list);
        let mut text = Vec::new();
        let read = open(&path).and_then(|file| file.take(LIST_BYTES_MAX).read_to_end(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Damage::Missing(WHAT.to_owned()).into());
            }
            Err(error) => return Err(failed("read", &path, error)),
        }
        if ContentId::of(&text) != files.list {
            return Err(Damage::Content(WHAT.to_owned()).into());
        }
        Ok(FileList::decode(&text).map_err(Damage::List)?)
    }

    /// Writes a copy of a saved file, if it is what was saved.
    ///
    /// # Errors
    /// When it is damaged, or cannot be read or written; then there may be a part of it at `to`.
    pub fn copy_out(&self, file: &ListedFile, to: &Path) -> Result<(), RestoreError> {
        let what = || format!("file '{}'", file.path);
        let path = self.path(file.sha256);
        let mut from = match open(&path) {
            Ok(from) => from,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Damage::Missing(what()).into());
            }
            Err(error) => return Err(failed("read", &path, error)),
        };
        let found = from
            .metadata()
            .map_err(|error| failed("read", &path, error))?
            .len();
        if found != file.bytes {
            let expected = file.bytes;
            let what = what();
            return Err(Damage::Length {
                what,
                found,
                expected,
            }
            .into());
        }
        let written = File::create(to).and_then(|mut to| copy(&mut from, &mut to));
        match written.map_err(|error| failed("write", to, error))? {
            found if found == (file.bytes, file.sha256) => Ok(()),
            _ => Err(Damage::Content(what()).into()),
        }
    }

    /// Removes everything that is not part of these checkpoints. What cannot be removed is left for the next time.
    pub fn keep_only(&self, lists: &[ContentId]) {
        let mut kept: BTreeSet<String> = BTreeSet::new();
        for list in lists {
            kept.insert(list.to_string());
            let text = fs::read(self.path(*list)).unwrap_or_default();
            let files = FileList::decode(&text).map_or(Vec::new(), |list| list.files);
            kept.extend(files.iter().map(|file| file.sha256.to_string()));
        }
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_none_or(|name| !kept.contains(name)) {
                remove(&entry.path());
            }
        }
    }

    fn new_name(&self) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.directory
            .join(format!("{NEW}{}-{number}", std::process::id()))
    }

    fn begin(&self) -> io::Result<(PathBuf, File)> {
        let path = self.new_name();
        let create = || File::create(&path);
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.directory)?;
                create()?
            }
            other => other?,
        };
        Ok((path, file))
    }

    /// Gives a stored file its name; a damaged one of the same name is replaced.
    fn finish(&self, path: &Path, copied: io::Result<(u64, ContentId)>) -> io::Result<(u64, ContentId)> {
        let result = copied.and_then(|(bytes, content)| {
            fs::rename(path, self.path(content))?;
            Ok((bytes, content))
        });
        // Renaming one name of a file to another of its names leaves both.
        remove(path);
        result
    }
}

/// Copies everything; its length and its content.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, ContentId)> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut hash = Sha256::new();
    let mut bytes = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, ContentId(hash.finalize().into()))),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
        bytes += count as u64;
    }
}

/// Opens a file to read it; neither follows a link nor waits for the other end of a pipe.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).expect("flags of the system fit");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a file")),
    }
}

fn remove(path: &Path) {
    // What cannot be removed now is removed when the store is cleared.
    let _ = fs::remove_file(path);
}

fn failed(what: &'static str, path: &Path, error: io::Error) -> RestoreError {
    let path = path.to_owned();
    RestoreError::Io { what, path, error }
}
