//! Messages between the functions. Hints that something may be due: the journal is the truth.

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::Report;

use crate::error::HostError;

/// Sends messages to the use cases. At least once, in any order; every receiver is idempotent.
pub trait Messages {
    /// Sends the messages.
    ///
    /// # Errors
    /// When some are not known to have been sent.
    async fn send(&self, messages: Vec<Message>) -> Result<(), HostError>;
}

/// One message; all are about one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The run.
    pub run: RunId,
    /// What may be due.
    pub body: Body,
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Get the run its place under the concurrent-run limit.
    Admit,
    /// Ask the policy about tasks.
    Decide(Candidates),
    /// What agents said.
    Reports(Vec<Report>),
    /// Carry out what is due by now.
    Tick,
    /// Send again whatever is owed.
    Recover,
}

/// Which tasks to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates {
    /// The READY ones.
    Ready,
    /// The READY ones and these waiters, to which freed slots were granted.
    Granted(Vec<AttemptKey>),
    /// The READY ones and all that wait for a pool.
    Waiting,
}
