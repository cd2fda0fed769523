//! Messages between the functions. Hints that something may be due: the journal is the truth.

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::Report;
use orchestrator_core::time::Timestamp;

use crate::api::reports::ReportBody;
use crate::error::HostError;
use crate::trace::Turn;

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
    async fn send_from(&self, turn: Option<Turn<'_>>, messages: Vec<Message>) -> Result<(), HostError> {
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
    /// Send again what is owed.
    Recover(Recovery),
}

/// How much of what a run owes is sent again.
///
/// What an agent's queue holds cannot be taken back, and may be worked on twice when it is sent twice. So attempts are handed
/// over again only if nobody can have made sure yet that they were: otherwise a queue that is long gets longer with every look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Attempts that were queued before were handed over, or have been handed over again.
    pub since: Timestamp,
    /// Whether everything since the last look is covered, so that the next look may come its usual time after this one.
    pub is_look: bool,
}

impl Recovery {
    /// Everything: the host knows nothing of what was handed over.
    pub const EVERYTHING: Recovery = Recovery {
        since: Timestamp(0),
        is_look: true,
    };

    /// A look at a run, after one that came at `since` or later.
    pub fn look(since: Timestamp) -> Recovery {
        Recovery { since, is_look: true }
    }

    /// For a message that is delivered again and was sent at `since` or later: what was decided for it may not have been
    /// carried out.
    pub fn of_message(since: Timestamp) -> Recovery {
        Recovery {
            since,
            is_look: false,
        }
    }
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
