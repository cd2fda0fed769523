//! The list of the files of a checkpoint.

use orchestrator_core::run::{ContentId, SavedFiles};
use serde::{Deserialize, Serialize};

use super::{FILES_MAX, PATH_BYTES_MAX};

/// Version of the form of lists.
const VERSION: u32 = 1;

/// The files of one checkpoint. Its own SHA-256 is what the journal has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileList {
    version: u32,
    /// The files, in the order of their paths.
    pub files: Vec<ListedFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFile {
    /// Where it is in the directory.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its content.
    pub sha256: ContentId,
}

impl FileList {
    /// A list of these files.
    pub fn new(files: Vec<ListedFile>) -> FileList {
        FileList {
            version: VERSION,
            files,
        }
    }

    /// The list as it is stored.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data with text keys")
    }

    /// What is recorded of the files.
    pub fn saved(&self) -> SavedFiles {
        SavedFiles {
            list: ContentId::of(&self.encode()),
            count: u32::try_from(self.files.len()).expect("lists are bounded"),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
        }
    }

    /// Reads a stored list. Nothing in it leads out of the directory it is restored to.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn decode(text: &[u8]) -> Result<FileList, String> {
        let list: FileList = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if list.version != VERSION {
            return Err(format!("it has version {}, not {VERSION}", list.version));
        }
        if list.files.len() > FILES_MAX {
            return Err(format!("it has more than {FILES_MAX} files"));
        }
        match list.files.iter().find(|file| !is_inside(&file.path)) {
            Some(file) => Err(format!("it has the path '{}'", file.path)),
            None => Ok(list),
        }
    }
}

/// Whether a path names something inside the directory it is relative to.
fn is_inside(path: &str) -> bool {
    let is_name = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    path.len() <= PATH_BYTES_MAX && path.split('/').all(is_name)
}
