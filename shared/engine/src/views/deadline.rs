//! Deadlines in force.

use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{Clock, RunState};
use orchestrator_core::sla::{DeadlineKind, Lateness, OnBreach, Stage};
use orchestrator_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;

/// A deadline whose clock runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Deadline")]
pub struct DeadlineView {
    /// `queue`, `task`, `heartbeat` or `workflow`.
    #[schemars(with = "String")]
    pub kind: DeadlineKind,
    /// The limit.
    pub limit_ms: u64,
    /// When the warning is due; absent when there is none, or it has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_at: Option<At>,
    /// When the time is over.
    pub deadline: At,
    /// What happens then: `alert`, `retry`, `cancel` or `fail`.
    #[schemars(with = "String")]
    pub on_breach: OnBreach,
    /// Whether it was missed.
    pub is_missed: bool,
    /// How late it is now, once it was missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_ms: Option<u64>,
    /// `low`, `medium`, `high` or `critical` by how late it is now, once it was missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub severity: Option<Lateness>,
}

/// A deadline that was missed by a task that goes on, or by the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Violation")]
pub struct ViolationView {
    /// The task; absent: the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// `queue`, `task`, `heartbeat` or `workflow`.
    #[schemars(with = "String")]
    pub kind: DeadlineKind,
    /// When the time was over.
    pub deadline: At,
    /// How late it is now.
    pub late_ms: u64,
    /// `low`, `medium`, `high` or `critical`.
    #[schemars(with = "String")]
    pub severity: Lateness,
}

impl DeadlineView {
    /// The deadlines of a task, or of the run, whose clocks run.
    pub fn all(state: &RunState, subject: Option<NodeIx>, now: Timestamp) -> Vec<DeadlineView> {
        state
            .clocks(subject)
            .map(|clock| DeadlineView::of(&clock, now))
            .collect()
    }

    fn of(clock: &Clock, now: Timestamp) -> DeadlineView {
        let is_missed = clock.stage == Stage::Breached;
        let late_ms = is_missed.then(|| now - clock.deadline());
        DeadlineView {
            kind: clock.key.kind,
            limit_ms: clock.limit.max_ms,
            warn_at: clock.warn_at().filter(|_| clock.stage == Stage::Quiet).map(At),
            deadline: At(clock.deadline()),
            on_breach: clock.limit.on_breach,
            is_missed,
            late_ms,
            severity: late_ms.map(|late| Lateness::of(late, clock.limit.max_ms)),
        }
    }
}

impl ViolationView {
    /// The first of the missed deadlines of what goes on in a run.
    pub fn all(state: &RunState, now: Timestamp) -> Vec<ViolationView> {
        const SHOWN_MAX: usize = 100;
        let view = |(key, violation): (
            orchestrator_core::sla::AlertKey,
            orchestrator_core::run::Violation,
        )| {
            let late_ms = now - violation.deadline;
            ViolationView {
                task: key.node.map(|node| state.name_of(node)),
                kind: key.kind,
                deadline: At(violation.deadline),
                late_ms,
                severity: Lateness::of(late_ms, violation.max_ms),
            }
        };
        state.violations().take(SHOWN_MAX).map(view).collect()
    }
}
