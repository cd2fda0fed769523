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
    /// Whether the turn was woken: what was on its way has come.
    pub(crate) is_woken: bool,
}

/// A wake-up that comes less than this before its time, milliseconds, was meant for it: clocks differ.
const EARLY_MS: u64 = 5_000;

impl Wakes {
    /// A turn begins.
    pub(crate) fn begin(&mut self, state: &RunState) {
        self.before = state.next_due();
        self.recovers = false;
        self.is_woken = false;
    }

    /// The time to be woken at, if nobody has asked for it yet.
    pub(crate) fn due(&self, state: &RunState, now: Timestamp) -> Option<Timestamp> {
        self.asks(state.next_due().filter(|_| !state.status.is_terminal()), now)
    }

    fn asks(&self, due: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let due = due?;
        let covers = |at: Option<Timestamp>| at.is_some_and(|at| at > now && at <= due);
        let came_early = self.is_woken && due.millis_since(now) <= EARLY_MS;
        let is_asked_for = covers(self.on_its_way) || (!self.recovers && covers(self.before));
        (came_early || !is_asked_for).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(100_000);

    fn at(millis: i64) -> Option<Timestamp> {
        Some(Timestamp(NOW.0 + millis))
    }

    #[test]
    fn a_wake_up_is_asked_for_once_and_again_when_it_was_early_or_may_be_lost() {
        let quiet = Wakes::default();
        let before = |before| Wakes { before, ..quiet };
        let table = [
            ("nothing is due", quiet, None, false),
            ("a first time", quiet, at(1_000), true),
            ("the same time as before", before(at(1_000)), at(1_000), false),
            ("a later time than before", before(at(1_000)), at(2_000), false),
            ("an earlier time than before", before(at(2_000)), at(1_000), true),
            ("the time before has passed", before(at(-1)), at(60_000), true),
            (
                "asked for by this process",
                Wakes {
                    on_its_way: at(500),
                    ..quiet
                },
                at(1_000),
                false,
            ),
            (
                "what was on its way has passed",
                Wakes {
                    on_its_way: at(0),
                    ..quiet
                },
                at(1_000),
                true,
            ),
            (
                "it came early",
                Wakes {
                    is_woken: true,
                    ..before(at(1_000))
                },
                at(1_000),
                true,
            ),
            (
                "it came for something else",
                Wakes {
                    is_woken: true,
                    ..before(at(60_000))
                },
                at(60_000),
                false,
            ),
            (
                "nothing is believed",
                Wakes {
                    recovers: true,
                    ..before(at(1_000))
                },
                at(1_000),
                true,
            ),
        ];
        for (case, wakes, due, asks) in table {
            assert_eq!(wakes.asks(due, NOW), due.filter(|_| asks), "{case}");
        }
    }
}
