//! When to ask the host to wake a run.

use orchestrator_core::run::RunState;
use orchestrator_core::time::Timestamp;

/// What a session knows of its wake-ups. A turn asks for one only when it moved the next due time to an earlier one, so
/// that a chain of tasks with time limits does not send a message for every task.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wakes {
    /// The next due time when the turn began.
    before: Option<Timestamp>,
    /// A wake-up this process has asked for.
    pub(crate) on_its_way: Option<Timestamp>,
    /// Whether the turn sends again whatever is owed: then nothing is believed to be on its way.
    pub(crate) recovers: bool,
}

impl Wakes {
    /// A turn begins.
    pub(crate) fn begin(&mut self, state: &RunState) {
        self.before = state.next_due();
        self.recovers = false;
    }

    /// The time to be woken at, if nobody has asked for it yet.
    pub(crate) fn due(&self, state: &RunState, now: Timestamp) -> Option<Timestamp> {
        let due = state.next_due().filter(|_| !state.status.is_terminal())?;
        let covers = |at: Option<Timestamp>| at.is_some_and(|at| at > now && at <= due);
        let is_asked_for = covers(self.on_its_way) || (!self.recovers && covers(self.before));
        (!is_asked_for).then_some(due)
    }
}
