//! What has happened at all: a fault that never occurs tests nothing.

use std::collections::BTreeMap;
use std::fmt;

use orchestrator_core::policy::HoldReason;
use orchestrator_core::run::{Event, Found};
use orchestrator_core::sla::{DeadlineKind, OnBreach};

/// Counts by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    /// Counts one.
    pub fn hit(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    /// Adds the counts of another.
    pub fn add(&mut self, other: &Coverage) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    /// How often it happened.
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// What [`EXPECTED`] names and did not happen.
    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED
            .iter()
            .copied()
            .filter(|name| self.count(name) == 0)
            .collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.keys().map(|name| name.len()).max().unwrap_or(0);
        self.0
            .iter()
            .try_for_each(|(name, count)| writeln!(f, "  {name:width$} {count:>12}"))
    }
}

/// Events, faults and actions that a large number of seeds must have had.
pub const EXPECTED: &[&str] = &[
    "agent dies",
    "agent hangs",
    "agent is late",
    "agent repeats itself",
    "append conflict",
    "append stored, answer lost",
    "breach Heartbeat",
    "breach Queue",
    "breach Task",
    "breach Workflow",
    "breach leads to Alert",
    "breach leads to Cancel",
    "breach leads to Fail",
    "breach leads to Retry",
    "call refused",
    "clock backward",
    "clock forward",
    "crash after append",
    "crash after taking slots",
    "crash elsewhere",
    "event AttemptFailed",
    "event CheckpointRejected",
    "event ChoiceMade",
    "event CompensationPlanned",
    "event CompensationWaived",
    "event GroupReopened",
    "event GroupSucceeded",
    "event ReportRefused",
    "event RollbackStopped",
    "event RolledBack",
    "event RunAdmitted",
    "event RunCancelled",
    "event RunFailed",
    "event RunPaused",
    "event RunPriorityChanged",
    "event RunReopened",
    "event RunResumed",
    "event RunSubmitted",
    "event RunSucceeded",
    "event TaskApproved",
    "event SlaBreached",
    "event SlaResolved",
    "event SlaWarned",
    "event TaskCancelled",
    "event TaskCheckpointed",
    "event TaskExpanded",
    "event TaskFailed",
    "event TaskFilesSaved",
    "event TaskHeld",
    "event TaskProgressed",
    "event TaskQueued",
    "event TaskReady",
    "event TaskReused",
    "event TaskReset",
    "event TaskSkipped",
    "event TaskStarted",
    "event TaskSucceeded",
    "found hit",
    "found miss",
    "found taken_back",
    "found unreachable",
    "found unwanted",
    "held Approval",
    "held Denied",
    "held Policy",
    "held Pool",
    "held Window",
    "message delayed",
    "message duplicated",
    "message redelivered",
    "message reordered",
    "operator accepted",
    "operator refused",
    "operator refused: a rollback is unfinished",
    "process restarted",
    "rollback as previewed",
    "rollback drops a checkpoint",
    "rollback gives items up",
    "rollback keeps a checkpoint",
    "rollback leaves a line",
    "rollback refused: cannot undo",
    "rollback refused: the plan changed",
    "rollback reopens a run",
    "rollback resumes what was cancelled",
    "rollback stops an attempt",
    "run fenced",
    "run waited for its place",
    "sweep",
    "timeout",
];

/// What a missed deadline counts as.
pub(super) fn breach_name(kind: DeadlineKind) -> &'static str {
    match kind {
        DeadlineKind::Queue => "breach Queue",
        DeadlineKind::Task => "breach Task",
        DeadlineKind::Heartbeat => "breach Heartbeat",
        DeadlineKind::Workflow => "breach Workflow",
    }
}

/// What is done about one counts as.
pub(super) fn action_name(action: OnBreach) -> &'static str {
    match action {
        OnBreach::Alert => "breach leads to Alert",
        OnBreach::Retry => "breach leads to Retry",
        OnBreach::Cancel => "breach leads to Cancel",
        OnBreach::Fail => "breach leads to Fail",
    }
}

/// What became of looking for a kept result counts as.
pub(super) fn found_name(found: &Found) -> &'static str {
    match found {
        Found::Kept(_) => "found hit",
        Found::Nothing => "found miss",
        Found::Unwanted => "found unwanted",
        Found::TakenBack => "found taken_back",
        Found::Unreachable => "found unreachable",
    }
}

/// What a hold counts as.
pub(super) fn held_name(hold: HoldReason) -> &'static str {
    match hold {
        HoldReason::Window => "held Window",
        HoldReason::Pool => "held Pool",
        HoldReason::Approval => "held Approval",
        HoldReason::Budget => "held Budget",
        HoldReason::Policy => "held Policy",
        HoldReason::Denied => "held Denied",
    }
}

/// What an event counts as.
pub(super) fn name_of(event: &Event) -> &'static str {
    match event {
        Event::RunSubmitted(_) => "event RunSubmitted",
        Event::RunAdmitted => "event RunAdmitted",
        Event::RunPaused { .. } => "event RunPaused",
        Event::RunResumed { .. } => "event RunResumed",
        Event::RunCancelled { .. } => "event RunCancelled",
        Event::RunSucceeded => "event RunSucceeded",
        Event::RunFailed => "event RunFailed",
        Event::RunReopened { .. } => "event RunReopened",
        Event::RunPriorityChanged { .. } => "event RunPriorityChanged",
        Event::TaskReady { .. } => "event TaskReady",
        Event::TaskExpanded { .. } => "event TaskExpanded",
        Event::ChoiceMade { .. } => "event ChoiceMade",
        Event::TaskQueued { .. } => "event TaskQueued",
        Event::TaskReused { .. } => "event TaskReused",
        Event::TaskHeld { .. } => "event TaskHeld",
        Event::TaskApproved { .. } => "event TaskApproved",
        Event::TaskStarted { .. } => "event TaskStarted",
        Event::TaskProgressed { .. } => "event TaskProgressed",
        Event::TaskCheckpointed { .. } => "event TaskCheckpointed",
        Event::TaskFilesSaved { .. } => "event TaskFilesSaved",
        Event::CheckpointRejected { .. } => "event CheckpointRejected",
        Event::TaskSucceeded { .. } => "event TaskSucceeded",
        Event::GroupSucceeded { .. } => "event GroupSucceeded",
        Event::AttemptFailed { .. } => "event AttemptFailed",
        Event::TaskFailed { .. } => "event TaskFailed",
        Event::TaskSkipped { .. } => "event TaskSkipped",
        Event::TaskCancelled { .. } => "event TaskCancelled",
        Event::TaskReset { .. } => "event TaskReset",
        Event::GroupReopened { .. } => "event GroupReopened",
        Event::ReportRefused { .. } => "event ReportRefused",
        Event::RolledBack { .. } => "event RolledBack",
        Event::CompensationPlanned { .. } => "event CompensationPlanned",
        Event::RollbackStopped { .. } => "event RollbackStopped",
        Event::SlaWarned { .. } => "event SlaWarned",
        Event::SlaBreached { .. } => "event SlaBreached",
        Event::SlaResolved { .. } => "event SlaResolved",
        Event::CompensationWaived { .. } => "event CompensationWaived",
    }
}
