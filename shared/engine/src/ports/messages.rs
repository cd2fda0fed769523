//! Messages between the functions. Hints that something may be due: the journal is the truth.

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::Report;
use orchestrator_core::time::Timestamp;

use crate::api::reports::ReportBody;
use crate::error::HostError;
use crate::trace::Context;

/// Sends messages to the use cases. At least once, in any order; every receiver is idempotent.
pub trait Messages {
    /// Sends the messages.
    ///
    /// # Errors
    /// When some are not known to have been sent.
    async fn send(&self, messages: Vec<Message>) -> Result<(), HostError>;

    /// The same on behalf of a turn, whose place in its trace travels with the messages where that is possible.
    ///
    /// # Errors
    /// When some are not known to have been sent.
    async fn send_from(&self, turn: Option<Context>, messages: Vec<Message>) -> Result<(), HostError> {
        let _ = turn;
        self.send(messages).await
    }

    /// Sends [`Body::Tick`] to `run` at about `at`. `false`: it will not be sent, because this host watches loaded runs
    /// itself, or because `at` is so far away that the sweep comes first.
    ///
    /// # Errors
    /// When it is not known to be on its way.
    async fn wake(&self, run: RunId, at: Timestamp, now: Timestamp) -> Result<bool, HostError> {
        let _ = (run, at, now);
        Ok(false)
    }
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
    /// What agents said through a queue, in their own words: to be checked against their tokens.
    Said(Vec<Said>),
    /// Carry out what is due by now.
    Tick,
    /// Send again whatever is owed.
    Recover,
}

/// A report as its agent sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The task, by name.
    pub task: String,
    /// What it says; with the token.
    pub report: ReportBody,
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
