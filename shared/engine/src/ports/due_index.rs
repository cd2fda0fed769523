//! Finding runs that are to be looked at, without reading those that are not.

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;

use crate::error::HostError;

/// Knows for every run that has not ended when it is to be looked at next, in case a message of it was lost. The journal
/// adapter enters a run when it is stored or reopened and removes it when it has ended.
///
/// Contract, checked by the testkit's `due_index` suite: what is due is found earliest first, at most `limit`; a run that
/// was postponed is not due before the new time; of two postponements of one entry one has an effect.
pub trait DueIndex {
    /// Runs to be looked at by `now`, at most `limit`. May lag behind the journal.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueRun>, HostError>;

    /// Looks at the run again at `to`. `false`: somebody else has postponed it, or the run has ended.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn postpone(&self, due: DueRun, to: Timestamp) -> Result<bool, HostError>;
}

/// A run that is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueRun {
    /// Since when.
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
}
