//! Telling the world what happened.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Event, RunState, RunStatus};
use orchestrator_core::time::Timestamp;

use crate::error::HostError;
use crate::trace::Turn;

/// Publishes what was appended. At least once, in order per run; the sequence number lets receivers drop repeats.
pub trait EventBus {
    /// Publishes one append.
    ///
    /// # Errors
    /// When it is not known to have been published.
    async fn publish(&self, committed: Committed<'_>) -> Result<(), HostError>;
}

/// One append, after the fact.
#[derive(Debug, Clone, Copy)]
pub struct Committed<'a> {
    /// The run.
    pub run: RunId,
    /// Its place in the journal.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub events: &'a [Event],
    /// State of the run after it.
    pub status: RunStatus,
    /// The run after it.
    pub state: &'a RunState,
    /// The turn that made it, as a place in the trace of the run; `None` when it is not traced.
    pub turn: Option<Turn<'a>>,
    /// Whether it may have been published before.
    pub is_repeat: bool,
}
