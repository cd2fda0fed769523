//! The states of a task and of a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// State of one task (one node of a run).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// Waits for upstream tasks.
    #[default]
    Pending,
    /// Its trigger is satisfied; the policy has not been asked yet.
    Ready,
    /// The policy or a full pool holds it back.
    Held,
    /// Dispatched, not reported as started.
    Queued,
    /// An agent works on it; for a `for_each` task: its children do.
    Running,
    /// An attempt failed; the next one is due at a stored time.
    RetryWait,
    /// Ended well.
    Success,
    /// Ended badly.
    Failed,
    /// Never ran, on purpose: a condition, a denied action, or upstream tasks that did not succeed.
    Skipped,
    /// Ended by an operator.
    Cancelled,
}

impl TaskStatus {
    /// Every state, in the order of a task's life.
    pub const ALL: [TaskStatus; 10] = [
        TaskStatus::Pending,
        TaskStatus::Ready,
        TaskStatus::Held,
        TaskStatus::Queued,
        TaskStatus::Running,
        TaskStatus::RetryWait,
        TaskStatus::Success,
        TaskStatus::Failed,
        TaskStatus::Skipped,
        TaskStatus::Cancelled,
    ];

    /// Whether the task has ended in this epoch.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            TaskStatus::Success | TaskStatus::Failed | TaskStatus::Skipped | TaskStatus::Cancelled
        )
    }

    /// The name used everywhere outside.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskStatus::Pending => "PENDING",
            TaskStatus::Ready => "READY",
            TaskStatus::Held => "HELD",
            TaskStatus::Queued => "QUEUED",
            TaskStatus::Running => "RUNNING",
            TaskStatus::RetryWait => "RETRY_WAIT",
            TaskStatus::Success => "SUCCESS",
            TaskStatus::Failed => "FAILED",
            TaskStatus::Skipped => "SKIPPED",
            TaskStatus::Cancelled => "CANCELLED",
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// State of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// Submitted; waits for a free place under the client's concurrent-run limit.
    #[default]
    Pending,
    /// Its text is being translated into a workflow.
    Translating,
    /// The translation waits for a person.
    NeedsReview,
    /// Its tasks are being decided, dispatched and done.
    Running,
    /// What runs goes on; nothing new is decided.
    Paused,
    /// Every task ended, none badly.
    Success,
    /// Every task ended, at least one badly.
    Failed,
    /// Ended by an operator.
    Cancelled,
}

impl RunStatus {
    /// Every state, in the order of a run's life.
    pub const ALL: [RunStatus; 8] = [
        RunStatus::Pending,
        RunStatus::Translating,
        RunStatus::NeedsReview,
        RunStatus::Running,
        RunStatus::Paused,
        RunStatus::Success,
        RunStatus::Failed,
        RunStatus::Cancelled,
    ];

    /// Whether the run has ended (an operator may still reopen it).
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            RunStatus::Success | RunStatus::Failed | RunStatus::Cancelled
        )
    }

    /// The name used everywhere outside.
    pub fn as_str(self) -> &'static str {
        match self {
            RunStatus::Pending => "PENDING",
            RunStatus::Translating => "TRANSLATING",
            RunStatus::NeedsReview => "NEEDS_REVIEW",
            RunStatus::Running => "RUNNING",
            RunStatus::Paused => "PAUSED",
            RunStatus::Success => "SUCCESS",
            RunStatus::Failed => "FAILED",
            RunStatus::Cancelled => "CANCELLED",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<RunStatus> {
        RunStatus::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
