//! What a timeline needs of an event: small, so that events can be followed later without keeping what they carry.

use std::sync::Arc;

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::{Choice, HoldReason};
use orchestrator_core::run::{Event, Failure, Lookup, SkipReason};
use orchestrator_core::time::Timestamp;

/// An event, as a timeline sees it.
#[derive(Debug, Clone)]
pub struct Mark(pub(super) Kind);

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Admitted,
    Paused,
    Resumed,
    Succeeded,
    Failed,
    Cancelled,
    Reopened,
    RolledBack,
    /// A deadline of the run was missed.
    Late,
    /// What a rollback undoes first is a node of its own.
    Undo {
        of: NodeIx,
    },
    /// A choice that later marks refer to by its number.
    Chosen(Arc<Choice>),
    Task(NodeIx, OfTask),
}

#[derive(Debug, Clone)]
pub(super) enum OfTask {
    Ready,
    Held {
        choice: u32,
        hold: HoldReason,
    },
    Queued {
        attempt: u32,
        choice: u32,
    },
    Started,
    Succeeded,
    /// It succeeded, and began at this time.
    SucceededFrom(Timestamp),
    Reused {
        choice: u32,
        lookup: Arc<Lookup>,
    },
    AttemptFailed(Arc<Failure>),
    Failed(Arc<Failure>),
    Skipped(SkipReason),
    Cancelled,
    Waived,
    Expanded {
        items: u32,
    },
    GroupSucceeded,
    GroupReopened,
    Reset,
    /// A deadline of an attempt was missed.
    Late {
        epoch: u32,
        attempt: u32,
    },
}

impl Mark {
    /// What there is to see of an event; `None`: nothing.
    pub fn of(event: &Event) -> Option<Mark> {
        let kind = match event {
            Event::RunAdmitted => Kind::Admitted,
            Event::RunPaused { .. } | Event::RollbackStopped { .. } => Kind::Paused,
            Event::RunResumed { .. } => Kind::Resumed,
            Event::RunSucceeded => Kind::Succeeded,
            Event::RunFailed => Kind::Failed,
            Event::RunCancelled { .. } => Kind::Cancelled,
            Event::RunReopened { .. } => Kind::Reopened,
            Event::RolledBack { .. } => Kind::RolledBack,
            Event::CompensationPlanned { of, .. } => Kind::Undo { of: *of },
            Event::ChoiceMade { choice } => Kind::Chosen(Arc::clone(choice)),
            Event::SlaBreached { key, .. } => match key.node {
                Some(node) => {
                    let (epoch, attempt) = (key.epoch, key.attempt);
                    Kind::Task(node, OfTask::Late { epoch, attempt })
                }
                None => Kind::Late,
            },
            _ => Kind::Task(event.node()?, OfTask::of(event)?),
        };
        Some(Mark(kind))
    }
}

impl OfTask {
    fn of(event: &Event) -> Option<OfTask> {
        Some(match event {
            Event::TaskReady { .. } | Event::TaskApproved { .. } => OfTask::Ready,
            Event::TaskHeld { choice, hold, .. } => OfTask::Held {
                choice: *choice,
                hold: *hold,
            },
            Event::TaskQueued { attempt, choice, .. } => OfTask::Queued {
                attempt: *attempt,
                choice: *choice,
            },
            Event::TaskStarted { .. } | Event::TaskProgressed { .. } | Event::TaskCheckpointed { .. } => {
                OfTask::Started
            }
            Event::TaskSucceeded { started_at, .. } => {
                started_at.map_or(OfTask::Succeeded, OfTask::SucceededFrom)
            }
            Event::TaskReused { choice, lookup, .. } => OfTask::Reused {
                choice: *choice,
                lookup: Arc::clone(lookup),
            },
            Event::AttemptFailed { failure, .. } => OfTask::AttemptFailed(Arc::clone(failure)),
            Event::TaskFailed { failure, .. } => OfTask::Failed(Arc::clone(failure)),
            Event::TaskSkipped { reason, .. } => OfTask::Skipped(reason.clone()),
            Event::TaskCancelled { .. } => OfTask::Cancelled,
            Event::CompensationWaived { .. } => OfTask::Waived,
            Event::TaskExpanded { items, .. } => OfTask::Expanded {
                items: u32::try_from(items.len()).unwrap_or(u32::MAX),
            },
            Event::GroupSucceeded { .. } => OfTask::GroupSucceeded,
            Event::GroupReopened { .. } => OfTask::GroupReopened,
            Event::TaskReset { .. } => OfTask::Reset,
            _ => return None,
        })
    }
}
