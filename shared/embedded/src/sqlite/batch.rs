//! What one commit makes durable, and what is found at the start.

use orchestrator_core::ids::RunId;
use orchestrator_engine::ports::idempotency::{Claim, Claimed};
use orchestrator_engine::ports::journal::{Append, Error};
use orchestrator_engine::sla::Tally;

/// What is to become durable together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub appends: Vec<Append>,
    pub claims: Vec<Claim>,
    /// Ids of alerts that need not be sent any more.
    pub sent: Vec<String>,
    /// Tallies that have changed, by agent and action.
    pub tallies: Vec<(String, String, Tally)>,
}

impl Batch {
    /// Whether there is anything in it for which nobody waits.
    pub(crate) fn has_notes(&self) -> bool {
        !self.sent.is_empty() || !self.tallies.is_empty()
    }
}

/// What became of a batch, item by item.
#[derive(Debug, PartialEq)]
pub(crate) struct Committed {
    pub appends: Vec<Result<(), Error>>,
    pub claims: Vec<Claimed>,
}

/// A run that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActiveRun {
    pub run: RunId,
    /// Digest of the agents it began with; unknown for runs of earlier versions.
    pub agents: Option<[u8; 32]>,
}
