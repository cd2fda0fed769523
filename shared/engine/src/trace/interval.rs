//! A stretch of a run's time.

use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, NodeIx, RunId};
use orchestrator_core::policy::HoldReason;
use orchestrator_core::run::{Failure, Lookup, SkipReason};
use orchestrator_core::time::Timestamp;

/// A stretch of time with one meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// What the time was spent on.
    pub phase: Phase,
    /// The task, for phases of tasks.
    pub place: Option<Place>,
    /// The part of the run: 0 at first, one more each time it is started again after its end.
    pub part: u32,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// When the agent began, for attempts that got so far.
    pub started_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it missed a deadline, for attempts and runs.
    pub is_late: bool,
    /// What the policy said about it, as attributes.
    pub decision: Option<Arc<[u8]>>,
    /// Direct upstream tasks of a task, as they were then.
    pub upstream: Upstreams,
    /// Name of a node that is neither a task of the workflow nor an item of one.
    pub name: Option<Arc<str>>,
}

/// What time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The run, or a part of it.
    Run,
    /// The run waited for its place under the client's limit.
    Admission,
    /// The run was paused.
    Paused,
    /// A task, from the moment nothing upstream was open to its end.
    Task,
    /// A task waited for the policy to be asked.
    Decision,
    /// A task was held back.
    Held(HoldReason),
    /// An attempt waited for its agent to begin.
    Queued,
    /// An attempt, from being queued to its end.
    Attempt,
    /// A task waited for its next attempt.
    RetryWait,
}

impl Phase {
    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Run => "run",
            Phase::Admission => "admission",
            Phase::Paused => "paused",
            Phase::Task => "task",
            Phase::Decision => "decision",
            Phase::Held(_) => "held",
            Phase::Queued => "queued",
            Phase::Attempt => "attempt",
            Phase::RetryWait => "retry wait",
        }
    }
}

/// Which task, in which of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The task.
    pub node: NodeIx,
    /// For an item: its `for_each` task and the item's index.
    pub item: Option<(NodeIx, u32)>,
    /// Lives of the `for_each` task, for an item.
    pub group: (u32, u32),
    /// Its epoch.
    pub epoch: u32,
    /// How often it went on after its end within the epoch (`for_each` tasks only).
    pub reopened: u32,
    /// The attempt; 0 before the first.
    pub attempt: u32,
    /// Times of waiting of this epoch so far.
    pub waits: u32,
}

/// Upstream tasks with their lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstreams {
    /// None are told.
    Untold,
    /// Those of the workflow, all of them in their first lives: nearly always.
    First,
    /// These.
    These(Box<[Upstream]>),
}

/// An upstream task with its epoch, and how often it went on within that.
pub type Upstream = (NodeIx, u32, u32);

/// How an interval ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was a time of waiting, and it was over.
    Over,
    /// Well.
    Success,
    /// Well, with a result that was kept.
    Reused(Arc<Lookup>),
    /// Badly.
    Failed(Option<Arc<Failure>>),
    /// The task was not to run.
    Skipped(SkipReason),
    /// An operator ended it.
    Cancelled,
    /// The task was started over meanwhile.
    Reset,
    /// It has not ended yet.
    Open,
}

impl Place {
    /// The attempt's key.
    pub fn key(&self, run: RunId) -> AttemptKey {
        AttemptKey {
            run,
            node: self.node,
            epoch: self.epoch,
            attempt: self.attempt,
        }
    }
}
