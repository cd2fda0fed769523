//! The journals: the only truth about runs.

use orchestrator_core::ids::RunId;

use super::run_index::RunSummary;
use crate::views::AlertView;

/// Stores one append-only journal per run, and content-addressed blobs (definitions, policies).
///
/// Contract, checked by the testkit's `journal` suite:
/// - `append` is atomic and durable: when it returns `Ok`, the bytes, the summary and the blobs survive a power loss; when it
///   returns an error other than `Unknown`, nothing was stored.
/// - Sequence numbers of a run are 1, 2, 3, ...; `append` with a number that exists is a `Conflict`. Of two concurrent
///   appends with one number exactly one wins. Callers append the number after the last that they have loaded or
///   appended, so a gap cannot come about; adapters that can tell refuse it as a `Conflict`, and loading finds it.
/// - `load` is strongly consistent (it sees every append that returned before it began), complete (it follows pages) and in
///   order.
pub trait Journal {
    /// The appends of `run` with a sequence number above `after`, in order; empty for an unknown run.
    ///
    /// # Errors
    /// See [`Error`].
    async fn load(&self, run: RunId, after: u64) -> Result<Vec<StoredAppend>, Error>;

    /// Stores one append.
    ///
    /// # Errors
    /// See [`Error`].
    async fn append(&self, append: Append) -> Result<(), Error>;

    /// A blob by its SHA-256.
    ///
    /// # Errors
    /// See [`Error`].
    async fn blob(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, Error>;
}

/// An append as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAppend {
    /// Its place in the journal, from 1.
    pub seq: u64,
    /// The encoded record.
    pub record: Vec<u8>,
}

/// An append to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// Its place: one more than the last.
    pub seq: u64,
    /// The encoded record.
    pub record: Vec<u8>,
    /// The new summary of the run, when it changed.
    pub summary: Option<RunSummary>,
    /// Blobs the record refers to, stored unless already there.
    pub blobs: Vec<Blob>,
    /// Alerts in the record, for hosts that keep a list of them.
    pub alerts: Vec<AlertView>,
}

/// Bytes stored under their SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256 of the bytes.
    pub hash: [u8; 32],
    /// The bytes.
    pub bytes: std::sync::Arc<[u8]>,
}

/// Why the journal did not do it; split by what the caller does next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Somebody else appended first: load again and decide again.
    #[error("append {seq} of run {run} lost a race")]
    Conflict {
        /// The run.
        run: RunId,
        /// The number that was taken.
        seq: u64,
    },
    /// The store cannot do it now (throttled, locked, full, unreachable): deliver the message again later.
    #[error("the journal is unavailable: {0}")]
    Unavailable(String),
    /// It is not known whether the append was stored: load again.
    #[error("the journal gave no answer: {0}")]
    Unknown(String),
    /// What is stored cannot be right: stop this run and tell a person; never repaired silently.
    #[error("the journal of run {run} is corrupt at append {seq}: {detail} (restore it from a backup)")]
    Corrupt {
        /// The run.
        run: RunId,
        /// The append.
        seq: u64,
        /// What is wrong.
        detail: String,
    },
}
