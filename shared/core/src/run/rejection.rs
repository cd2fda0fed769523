//! Why a command is refused.

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
            Rejection::PriorityOutOfRange(_) => "run.priority-out-of-range",
        }
    }
}
