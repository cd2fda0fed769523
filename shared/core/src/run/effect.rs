//! What a run owes to the outside world. Imperative; every effect is idempotent by its key.

use super::reuse::ResultKey;
use crate::ids::{AttemptKey, NodeIx, RunId};

/// Something to be done outside the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Ask for a place under the client's concurrent-run limit.
    Admit,
    /// Ask the policy about the READY tasks, and the pools about the waiting ones.
    Decide,
    /// Hand the attempt to its agent.
    Dispatch(AttemptKey),
    /// Make whatever works on the attempt stop. Precedes the release of its slots.
    Stop(AttemptKey),
    /// Give back the slots of the attempt, or its place in the line.
    Release(AttemptKey),
    /// Keep the result of the attempt for others. Not owed again: losing it costs an execution.
    Keep(AttemptKey),
    /// Forget a kept result. Precedes the attempt that makes it again.
    Forget(ResultKey),
}

impl AttemptKey {
    /// The key under which a run as a whole holds its place under the client's concurrent-run limit.
    pub fn admission(run: RunId) -> AttemptKey {
        AttemptKey {
            run,
            node: NodeIx(u32::MAX),
            epoch: 0,
            attempt: 0,
        }
    }

    /// Whether this is a run's place rather than an attempt's slots.
    pub fn is_admission(self) -> bool {
        self.node == NodeIx(u32::MAX)
    }
}
