//! What one commit makes durable.

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
