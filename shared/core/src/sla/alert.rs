//! What an alert is about, and how bad it is.

use serde::{Deserialize, Serialize};

use crate::ids::NodeIx;

/// What can take too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// A task's wait until an attempt of it starts.
    Queue,
    /// The run time of an attempt.
    Task,
    /// The silence of a running attempt.
    Heartbeat,
    /// The run as a whole.
    Workflow,
}

impl DeadlineKind {
    /// Every kind, in the order in which they are stored.
    pub const ALL: [DeadlineKind; 4] = [
        DeadlineKind::Queue,
        DeadlineKind::Task,
        DeadlineKind::Heartbeat,
        DeadlineKind::Workflow,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            DeadlineKind::Queue => "queue",
            DeadlineKind::Task => "task",
            DeadlineKind::Heartbeat => "heartbeat",
            DeadlineKind::Workflow => "workflow",
        }
    }
}

/// What an alert is about. There is at most one warning and one breach for each key, ever (SLA-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    /// The task; `None`: the run.
    pub node: Option<NodeIx>,
    /// Epoch of the task; for the run: how often it was opened.
    pub epoch: u32,
    /// The attempt; for [`DeadlineKind::Queue`] the one that waits to be made; 0 for the run.
    pub attempt: u32,
    /// Of what kind.
    pub kind: DeadlineKind,
}

/// How far the alerts about one key have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stage {
    /// There has been none.
    #[default]
    Quiet,
    /// There has been a warning.
    Warned,
    /// The deadline was missed.
    Breached,
}

/// How bad it is, by how late it is in relation to the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lateness {
    /// Late by less than a tenth of the limit.
    Low,
    /// Late by less than half of the limit.
    Medium,
    /// Late by less than the limit.
    High,
    /// Took at least twice the limit.
    Critical,
}

impl Lateness {
    /// Every degree, in the order in which they are stored.
    pub const ALL: [Lateness; 4] = [
        Lateness::Low,
        Lateness::Medium,
        Lateness::High,
        Lateness::Critical,
    ];

    /// How bad it is to be `late_ms` late with a limit of `max_ms`.
    pub fn of(late_ms: u64, max_ms: u64) -> Lateness {
        let (late, max) = (u128::from(late_ms), u128::from(max_ms));
        match late {
            _ if late * 10 < max => Lateness::Low,
            _ if late * 2 < max => Lateness::Medium,
            _ if late < max => Lateness::High,
            _ => Lateness::Critical,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Lateness::Low => "low",
            Lateness::Medium => "medium",
            Lateness::High => "high",
            Lateness::Critical => "critical",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_grows_with_lateness() {
        let table = [
            (0, Lateness::Low),
            (99, Lateness::Low),
            (100, Lateness::Medium),
            (499, Lateness::Medium),
            (500, Lateness::High),
            (999, Lateness::High),
            (1_000, Lateness::Critical),
            (u64::MAX, Lateness::Critical),
        ];
        for (late_ms, expected) in table {
            assert_eq!(Lateness::of(late_ms, 1_000), expected, "{late_ms} ms late");
        }
    }
}
