//! Errors of the engine, split by what the caller does next.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::Rejection;

use crate::ports::journal;

/// A port other than the journal could not do its work now. The message that led here is delivered again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is unavailable: {detail}")]
pub struct HostError {
    /// Which part of the host.
    pub what: &'static str,
    /// What it said.
    pub detail: String,
}

/// Why a use case did not complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such run.
    #[error("there is no run '{0}' (see 'orchestrator list')")]
    UnknownRun(RunId),
    /// The run refused the command; nothing changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The journal could not be read or written.
    #[error(transparent)]
    Journal(journal::Error),
    /// Another part of the host could not do its work.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The run was appended to by others over and over.
    #[error("run {run} changed {tries} times while it was being decided (try again)")]
    TooManyConflicts {
        /// The run.
        run: RunId,
        /// How often it was tried.
        tries: u32,
    },
}

impl Error {
    /// Whether doing the same again later may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::UnknownRun(_) | Error::Rejected(_) => false,
            Error::Journal(error) => !matches!(error, journal::Error::Corrupt { .. }),
            Error::Host(_) | Error::TooManyConflicts { .. } => true,
        }
    }
}
