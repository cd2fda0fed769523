//! What a history of the table is made of.

use crate::run::TaskStatus;
use crate::sla::{OnBreach, SlaSpec};

/// One step of a history. Seconds; the task is `t`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Time passes, and whatever is due happens.
    Wait(u64),
    /// Time passes, and nobody looks.
    Unseen(u64),
    /// The clock is set back.
    Back(u64),
    Queue,
    /// Queued by a choice that needs a slot.
    Slot,
    Start,
    Progress,
    /// Success; the start was reported before, if there was one.
    Succeed,
    /// Success, with a start so many seconds ago, of a task that was QUEUED until now.
    SucceedSince(u64),
    Fail,
    HoldForWindow,
    HoldForPool,
    Pause,
    Resume,
    Cancel,
    Rerun,
    Retry,
}

pub(super) struct Case {
    pub(super) name: &'static str,
    /// Of the task `t`.
    pub(super) task: SlaSpec,
    /// Of the run.
    pub(super) run: SlaSpec,
    pub(super) steps: &'static [Step],
    /// `SECONDS what`, in order.
    pub(super) alerts: &'static [&'static str],
    /// State of `t` in the end.
    pub(super) ends: TaskStatus,
}

pub(super) const NONE: SlaSpec = SlaSpec {
    task_max_seconds: None,
    workflow_max_seconds: None,
    queue_max_seconds: None,
    heartbeat_seconds: None,
    warn_percent: None,
    on_breach: None,
    on_workflow_breach: None,
};
pub(super) const QUEUE: SlaSpec = SlaSpec {
    queue_max_seconds: Some(100.0),
    ..NONE
};
pub(super) const TASK: SlaSpec = SlaSpec {
    task_max_seconds: Some(100.0),
    ..NONE
};
pub(super) const HEARTBEAT: SlaSpec = SlaSpec {
    heartbeat_seconds: Some(100.0),
    ..NONE
};
pub(super) const WORKFLOW: SlaSpec = SlaSpec {
    workflow_max_seconds: Some(100.0),
    ..NONE
};

pub(super) const fn on_breach(spec: SlaSpec, action: OnBreach) -> SlaSpec {
    SlaSpec {
        on_breach: Some(action),
        on_workflow_breach: Some(action),
        ..spec
    }
}

pub(super) const fn warns_at(spec: SlaSpec, percent: u8) -> SlaSpec {
    SlaSpec {
        warn_percent: Some(percent),
        ..spec
    }
}
