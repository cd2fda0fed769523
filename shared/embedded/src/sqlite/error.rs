//! What can go wrong with the database file, in words that name the file and the remedy.

use std::path::{Path, PathBuf};

use orchestrator_core::ids::RunId;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::journal;
use rusqlite::ErrorCode;

use super::schema;

/// The database could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database '{}' {kind}", file.display())]
pub struct StoreError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong.
    pub kind: Kind,
}

/// What is wrong with the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// No space left.
    #[error("cannot grow: the disk is full (free some space; nothing that was acknowledged is lost)")]
    Full,
    /// Another process holds it.
    #[error("is locked by another process (stop the program that has it open)")]
    Locked,
    /// The content is damaged.
    #[error("is damaged: {0} (restore it from a backup, or save what is left with 'sqlite3 FILE .recover')")]
    Corrupt(String),
    /// It cannot be written.
    #[error("cannot be written (check the permissions of the file and of its directory)")]
    ReadOnly,
    /// The file is something else.
    #[error("is not an SQLite database (move the file away or choose another data directory)")]
    NotADatabase,
    /// An SQLite database of another program.
    #[error("belongs to another program (choose another data directory)")]
    Foreign,
    /// Written by a newer program.
    #[error(
        "has schema version {found}, this program knows {} (upgrade it)",
        schema::VERSION
    )]
    Newer {
        /// Version in the file.
        found: usize,
    },
    /// Written by an older program and only opened for reading.
    #[error(
        "has schema version {found}, this program reads {} (start 'orchestrator serve' on it once)",
        schema::VERSION
    )]
    Older {
        /// Version in the file.
        found: usize,
    },
    /// It cannot be opened.
    #[error("cannot be opened: {0} (check that the directory exists and its permissions)")]
    CannotOpen(String),
    /// The device failed.
    #[error("could not be read or written: {0} (check the disk and the system log)")]
    Io(String),
    /// Anything else; a bug of ours or of the file system.
    #[error("refused: {0}")]
    Other(String),
}

impl StoreError {
    pub(super) fn new(file: &Path, kind: Kind) -> StoreError {
        StoreError {
            file: file.to_owned(),
            kind,
        }
    }

    pub(crate) fn of(file: &Path, error: &rusqlite::Error) -> StoreError {
        let detail = error.to_string();
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Kind::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Kind::Locked,
            Some(ErrorCode::DatabaseCorrupt) => Kind::Corrupt(detail),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Kind::ReadOnly,
            Some(ErrorCode::NotADatabase) => Kind::NotADatabase,
            Some(ErrorCode::CannotOpen) => Kind::CannotOpen(detail),
            Some(ErrorCode::SystemIoFailure) => Kind::Io(detail),
            Some(_) => Kind::Other(detail),
            None => Kind::Corrupt(detail),
        };
        StoreError::new(file, kind)
    }

    /// As the error of a whole append.
    pub(crate) fn into_journal(self, run: RunId, after: u64) -> journal::Error {
        match self.kind {
            Kind::Corrupt(_) | Kind::NotADatabase => journal::Error::Corrupt {
                run,
                seq: after + 1,
                detail: self.to_string(),
            },
            _ => journal::Error::Unavailable(self.to_string()),
        }
    }

    /// As the error of another port.
    pub(crate) fn into_host(self) -> HostError {
        HostError {
            what: "the store",
            detail: self.to_string(),
        }
    }
}
