//! Why a command is refused.

use super::rollback::PlanToken;
use super::status::{RunStatus, TaskStatus};

/// The rule a command broke. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The run has ended.
    #[error("the run has ended as {0} (start it again with 'retry' or 'rerun')")]
    RunEnded(RunStatus),
    /// The run has not ended.
    #[error("the run is {0}, not ended (only a FAILED or CANCELLED run can be retried)")]
    NotRetryable(RunStatus),
    /// The run is not in the state the command needs.
    #[error("the run is {actual} (this needs {needed})")]
    WrongRunStatus {
        /// What it is.
        actual: RunStatus,
        /// What the command needs.
        needed: &'static str,
    },
    /// There is no such task.
    #[error("the run has no task '{0}'")]
    UnknownTask(String),
    /// The task is not in the state the command needs.
    #[error("task '{task}' is {actual} (this needs {needed})")]
    WrongTaskStatus {
        /// The task.
        task: String,
        /// What it is.
        actual: TaskStatus,
        /// What the command needs.
        needed: &'static str,
    },
    /// The name is of an item or of an action of a rollback.
    #[error("'{name}' is an item or an action of a rollback (this needs {needed})")]
    NotATask {
        /// What was named.
        name: String,
        /// What the command needs.
        needed: &'static str,
    },
    /// Nobody said why.
    #[error("a rollback needs a reason (say why, for whoever reads the history of the run)")]
    NoReason,
    /// Nothing is to be taken back.
    #[error("0 steps take nothing back (ask for at least one step or task)")]
    NoSteps,
    /// Fewer tasks have succeeded.
    #[error("{asked} steps are more than there are ({available} tasks have succeeded)")]
    TooManySteps {
        /// Steps asked for.
        asked: u32,
        /// Tasks that have succeeded.
        available: u32,
    },
    /// The parameters of an action that is to undo something have no value.
    #[error(
        "'{task}' cannot be undone: {why} (correct 'compensate' in the next run; 'rerun' does it again without undoing)"
    )]
    CannotUndo {
        /// The task or item.
        task: String,
        /// What is missing.
        why: String,
    },
    /// The plan is another one than was shown.
    #[error("the run has moved on since the preview: plan {shown} is now {actual} (preview again)")]
    PlanChanged {
        /// The plan that was shown.
        shown: PlanToken,
        /// What it would be.
        actual: PlanToken,
    },
    /// A rollback has not undone everything yet.
    #[error(
        "rollback {0} has not undone everything yet (wait for it, go on with 'resume' or 'retry', or cancel the run)"
    )]
    RollbackUnfinished(u32),
    /// A priority outside 1 to 10.
    #[error("priority {0} is out of range (1 to 10, 10 is most urgent)")]
    PriorityOutOfRange(u8),
}

impl Rejection {
    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::RunEnded(_) => "run.ended",
            Rejection::NotRetryable(_) => "run.not-retryable",
            Rejection::WrongRunStatus { .. } => "run.wrong-status",
            Rejection::UnknownTask(_) => "task.unknown",
            Rejection::WrongTaskStatus { .. } => "task.wrong-status",
            Rejection::NotATask { .. } => "task.no-task",
            Rejection::NoReason => "rollback.no-reason",
            Rejection::NoSteps => "rollback.no-steps",
            Rejection::TooManySteps { .. } => "rollback.too-many-steps",
            Rejection::CannotUndo { .. } => "rollback.cannot-undo",
            Rejection::PlanChanged { .. } => "rollback.plan-changed",
            Rejection::RollbackUnfinished(_) => "rollback.unfinished",
            Rejection::PriorityOutOfRange(_) => "run.priority-out-of-range",
        }
    }
}
