//! What happened to a run. Past tense; never refused. The persisted form is `orchestrator-engine`'s `record`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checkpoint::{NewFiles, RejectedCheckpoint};
use super::reuse::Lookup;
use super::rollback::RolledBack;
use super::submission::Submission;
use crate::ids::NodeIx;
use crate::policy::{Choice, HoldReason};
use crate::sla::{AlertKey, Lateness, OnBreach};
use crate::time::Timestamp;

/// One fact. All events of one append share the append's time.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run exists. Always the first event.
    RunSubmitted(Arc<Submission>),
    /// The run got its place and its tasks may be decided.
    RunAdmitted,
    /// Nothing new is decided until it is resumed.
    RunPaused {
        /// Who.
        by: String,
    },
    /// Decisions go on.
    RunResumed {
        /// Who.
        by: String,
    },
    /// An operator ended it; every open task was cancelled.
    RunCancelled {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Every task ended, none badly.
    RunSucceeded,
    /// Every task ended, at least one badly.
    RunFailed,
    /// A terminal run goes on: retry, rerun or rollback.
    RunReopened {
        /// Who.
        by: String,
        /// What was asked: `retry`, `rerun TASK` or `rollback N`.
        reason: String,
    },
    /// The run was taken back: tasks that are reset below start over, once what they did is undone.
    RolledBack {
        /// Who, what, why.
        rollback: Arc<RolledBack>,
    },
    /// A rollback has to undo a task or an item first; the action is a new node, appended after the existing ones.
    CompensationPlanned {
        /// The task or item that is undone.
        of: NodeIx,
        /// Parameters of the action, resolved before the output they may refer to is dropped.
        params: Arc<Value>,
    },
    /// An action of a rollback ended without having undone anything: the run is paused. Resumed, it tries again.
    RollbackStopped {
        /// The action.
        node: NodeIx,
    },
    /// A person says that what an action could not undo is undone, or need not be.
    CompensationWaived {
        /// The action.
        node: NodeIx,
        /// Who.
        by: String,
    },
    /// The run's priority changed; waiting tasks are asked about again.
    RunPriorityChanged {
        /// Who.
        by: String,
        /// 1 to 10.
        priority: u8,
    },
    /// The trigger is satisfied; the policy is to be asked.
    TaskReady {
        /// The task.
        node: NodeIx,
    },
    /// A `for_each` task got its children, one per item, appended after the existing nodes.
    TaskExpanded {
        /// The `for_each` task.
        node: NodeIx,
        /// The items, in order.
        items: Arc<Vec<Value>>,
    },
    /// A choice used below for the first time in this run; its index is the number of choices before it.
    ChoiceMade {
        /// The choice.
        choice: Arc<Choice>,
    },
    /// The policy allowed the task and its slots are held: it is to be dispatched.
    TaskQueued {
        /// The task.
        node: NodeIx,
        /// The new attempt, from 1 within the epoch.
        attempt: u32,
        /// Index of the choice.
        choice: u32,
        /// Recorded input of the choice: used slots of the pools it asks for, in the order of `Choice::pools`.
        usage: Vec<u32>,
        /// What became of looking for a kept result; `None`: its result is not to be reused.
        lookup: Option<Arc<Lookup>>,
    },
    /// The policy allowed the task, and its result was kept from another time: no attempt is made.
    TaskReused {
        /// The task.
        node: NodeIx,
        /// Index of the choice.
        choice: u32,
        /// What was found.
        lookup: Arc<Lookup>,
        /// The output; `None` when there is none.
        output: Option<Arc<Value>>,
    },
    /// The task has to wait.
    TaskHeld {
        /// The task.
        node: NodeIx,
        /// Index of the choice.
        choice: u32,
        /// What it waits for.
        hold: HoldReason,
        /// When it is asked about again at the latest.
        until: Option<Timestamp>,
        /// Pools that were full, for [`HoldReason::Pool`].
        full: Vec<String>,
    },
    /// An operator allowed what waited for approval.
    TaskApproved {
        /// The task.
        node: NodeIx,
        /// Who.
        by: String,
    },
    /// An agent began to work on the attempt.
    TaskStarted {
        /// The task.
        node: NodeIx,
    },
    /// The agent reported progress.
    TaskProgressed {
        /// The task.
        node: NodeIx,
        /// What it said.
        progress: Arc<Progress>,
    },
    /// The agent saved a checkpoint.
    TaskCheckpointed {
        /// The task.
        node: NodeIx,
        /// Where, and whatever the agent noted.
        checkpoint: Arc<Value>,
    },
    /// The agent saved a checkpoint that has files.
    TaskFilesSaved {
        /// The task.
        node: NodeIx,
        /// The files, and whatever the agent noted.
        saved: Arc<NewFiles>,
    },
    /// A checkpoint is damaged and will not be used, or could not be made.
    CheckpointRejected {
        /// The task.
        node: NodeIx,
        /// Which, and why.
        rejected: Arc<RejectedCheckpoint>,
    },
    /// The live attempt succeeded.
    TaskSucceeded {
        /// The task.
        node: NodeIx,
        /// When it started, if the start was not reported on its own.
        started_at: Option<Timestamp>,
        /// The output; `None` when there is none.
        output: Option<Arc<Value>>,
    },
    /// Every child of a `for_each` task ended well; the output is the list of theirs.
    GroupSucceeded {
        /// The `for_each` task.
        node: NodeIx,
    },
    /// The live attempt failed; another one is due later.
    AttemptFailed {
        /// The task.
        node: NodeIx,
        /// Why.
        failure: Arc<Failure>,
        /// When the next attempt is due.
        retry_at: Timestamp,
    },
    /// The task ended badly.
    TaskFailed {
        /// The task.
        node: NodeIx,
        /// Why.
        failure: Arc<Failure>,
    },
    /// The task will not run.
    TaskSkipped {
        /// The task.
        node: NodeIx,
        /// Why.
        reason: SkipReason,
    },
    /// The task was ended by an operator.
    TaskCancelled {
        /// The task.
        node: NodeIx,
    },
    /// The task starts over in a new epoch.
    TaskReset {
        /// The task.
        node: NodeIx,
    },
    /// A `for_each` task goes on because a child of it starts over.
    GroupReopened {
        /// The `for_each` task.
        node: NodeIx,
    },
    /// A report from an attempt that is not the live one was refused.
    ReportRefused {
        /// The task.
        node: NodeIx,
        /// Epoch of the report.
        epoch: u32,
        /// Attempt of the report.
        attempt: u32,
        /// Kind of report, as in `TASK_SUCCESS`.
        kind: String,
    },
    /// A deadline comes near.
    SlaWarned {
        /// About what.
        key: AlertKey,
        /// The limit, milliseconds.
        max_ms: u64,
        /// When the time is over.
        deadline: Timestamp,
    },
    /// A deadline was missed.
    SlaBreached {
        /// About what.
        key: AlertKey,
        /// The limit, milliseconds.
        max_ms: u64,
        /// When the time was over.
        deadline: Timestamp,
        /// How bad it was when it was noticed.
        severity: Lateness,
        /// What was done about it.
        action: OnBreach,
    },
    /// What had missed a deadline has come to an end, or was heard of again.
    SlaResolved {
        /// About what.
        key: AlertKey,
        /// How late it was, milliseconds.
        late_ms: u64,
    },
}

/// Progress of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// What the agent is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Why an attempt or a task failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Kind of failure; decides about retries.
    pub class: FailureClass,
    /// For people; bounded by the host.
    pub message: String,
    /// Exit code of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The agent said that trying again may help (exit code 75, HTTP 429 or 5xx).
    Transient,
    /// The agent failed without saying more. Retried.
    Error,
    /// The agent said that trying again is of no use.
    Permanent,
    /// The input is wrong. Never retried.
    Validation,
    /// The attempt ran longer than its timeout. Retried.
    Timeout,
    /// The worker disappeared. Retried.
    Lost,
    /// The policy denied the task.
    Denied,
    /// An operator rejected the task.
    Rejected,
    /// A child of a `for_each` task failed.
    Children,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [FailureClass; 9] = [
        FailureClass::Transient,
        FailureClass::Error,
        FailureClass::Permanent,
        FailureClass::Validation,
        FailureClass::Timeout,
        FailureClass::Lost,
        FailureClass::Denied,
        FailureClass::Rejected,
        FailureClass::Children,
    ];

    /// Whether another attempt may help.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            FailureClass::Transient | FailureClass::Error | FailureClass::Timeout | FailureClass::Lost
        )
    }

    /// The name used outside.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureClass::Transient => "transient",
            FailureClass::Error => "error",
            FailureClass::Permanent => "permanent",
            FailureClass::Validation => "validation",
            FailureClass::Timeout => "timeout",
            FailureClass::Lost => "lost",
            FailureClass::Denied => "denied",
            FailureClass::Rejected => "rejected",
            FailureClass::Children => "children",
        }
    }
}

/// Why a task was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum SkipReason {
    /// Its `when` is false.
    Condition,
    /// Its trigger can no longer be satisfied.
    Upstream {
        /// The upstream task that settled it.
        task: NodeIx,
    },
    /// The policy denied it and `on_denied` is `skip`.
    Denied {
        /// Index of the choice.
        choice: u32,
    },
}
