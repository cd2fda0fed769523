//! What a run is asked to do. Imperative; may be refused.

use std::sync::Arc;

use serde_json::Value;

use super::checkpoint::{NewFiles, RejectedCheckpoint};
use super::event::{Failure, Progress};
use super::reuse::Lookup;
use super::rollback::{PlanToken, Request};
use crate::ids::NodeIx;
use crate::policy::Choice;
use crate::pool::LeaseAnswer;
use crate::time::Timestamp;

/// A request to a run. Complete: it carries everything that had to be looked up.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// The run has its place: start it.
    Admit,
    /// The policy's and the pools' answers about tasks that are READY or HELD.
    Answer(Vec<Answer>),
    /// An agent, or the host on its behalf, says something about an attempt.
    Report(Report),
    /// Time has passed: carry out what is due.
    Tick,
    /// End the run.
    Cancel {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Decide nothing new.
    Pause {
        /// Who.
        by: String,
    },
    /// Go on deciding.
    Resume {
        /// Who.
        by: String,
    },
    /// Start a failed or cancelled run again from where it failed.
    Retry {
        /// Who.
        by: String,
    },
    /// Do a task and everything downstream of it again.
    Rerun {
        /// The task.
        node: NodeIx,
        /// Who.
        by: String,
    },
    /// Take tasks and everything downstream of them back, undoing what they did.
    Rollback {
        /// Where it starts.
        request: Request,
        /// The plan that was shown; refused if it would not be the one that is applied.
        token: Option<PlanToken>,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Allow a task that waits for approval.
    Approve {
        /// The task.
        node: NodeIx,
        /// Who.
        by: String,
    },
    /// Refuse a task that waits for a person: it fails.
    Reject {
        /// The task.
        node: NodeIx,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Change the run's priority.
    SetPriority {
        /// Who.
        by: String,
        /// 1 to 10.
        priority: u8,
    },
}

/// The answer about one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The task.
    pub node: NodeIx,
    /// Its epoch when it was asked about; an answer from another epoch is void.
    pub epoch: u32,
    /// What the policy chose.
    pub choice: Arc<Choice>,
    /// What the pools said; `None` when they were not asked because the choice does not allow the task.
    pub lease: Option<LeaseAnswer>,
    /// Used slots of the pools of the choice at that moment, in the order of `Choice::pools`.
    pub usage: Vec<u32>,
    /// What became of looking for a kept result, for tasks whose result may be reused.
    pub lookup: Option<Arc<Lookup>>,
    /// The output of the result that was found.
    pub output: Option<Arc<Value>>,
}

/// What is said about one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The task.
    pub node: NodeIx,
    /// Epoch of the attempt.
    pub epoch: u32,
    /// The attempt.
    pub attempt: u32,
    /// What.
    pub kind: ReportKind,
}

/// Kinds of report.
#[derive(Debug, Clone, PartialEq)]
pub enum ReportKind {
    /// The agent began.
    Started,
    /// The agent goes on.
    Progress(Arc<Progress>),
    /// The agent saved a checkpoint.
    Checkpoint(Arc<Value>),
    /// The agent saved a checkpoint that has files.
    FilesSaved(Arc<NewFiles>),
    /// A checkpoint is damaged, or could not be made.
    CheckpointRejected(Arc<RejectedCheckpoint>),
    /// The attempt is done.
    Success {
        /// When it started, for attempts whose start was not reported on its own.
        started_at: Option<Timestamp>,
        /// The output; `None` when there is none.
        output: Option<Arc<Value>>,
    },
    /// The attempt failed.
    Failure(Arc<Failure>),
}

impl ReportKind {
    /// Whether a report with this name on the wire is the last one of its attempt.
    pub fn is_end(name: &str) -> bool {
        matches!(name, "TASK_SUCCESS" | "TASK_FAILURE")
    }

    /// The name used on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            ReportKind::Started => "TASK_STARTED",
            ReportKind::Progress(_) => "TASK_PROGRESS",
            ReportKind::Checkpoint(_) | ReportKind::FilesSaved(_) => "TASK_CHECKPOINT",
            ReportKind::CheckpointRejected(_) => "TASK_CHECKPOINT_REJECTED",
            ReportKind::Success { .. } => "TASK_SUCCESS",
            ReportKind::Failure(_) => "TASK_FAILURE",
        }
    }
}
