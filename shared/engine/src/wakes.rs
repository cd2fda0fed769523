//! When to ask the host to wake a run.

use orchestrator_core::run::RunState;
use orchestrator_core::time::Timestamp;

use crate::sweep::look_within_ms;

/// What a session knows of its wake-ups. A turn asks for one only when it moved the next due time to an earlier one, so
/// that a chain of tasks with time limits does not send a message for every task. Deadlines are many and seldom missed: the
/// next look of the sweep finds those that are further away than it ([`look_within_ms`]), and asks for those that are not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wakes {
    /// What was due next when the turn began.
    timer_before: Option<Timestamp>,
    deadline_before: Option<Timestamp>,
    /// A wake-up this process has asked for.
    pub(crate) on_its_way: Option<Timestamp>,
    /// Whether the turn sends again whatever is owed: then nothing is believed to be on its way.
    pub(crate) recovers: bool,
    /// Whether it covers everything since the last look.
    pub(crate) is_look: bool,
    /// Whether the turn was woken: what was on its way has come.
    pub(crate) is_woken: bool,
}

/// A wake-up that comes less than this before its time, milliseconds, was meant for it: clocks differ.
const EARLY_MS: u64 = 5_000;

impl Wakes {
    /// A turn begins.
    pub(crate) fn begin(&mut self, state: &RunState) {
        self.timer_before = state.next_timer();
        self.deadline_before = state.next_deadline();
        self.recovers = false;
        self.is_look = false;
        self.is_woken = false;
    }

    /// The times to be woken at, if nobody has asked for them yet.
    pub(crate) fn due(&self, state: &RunState, now: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let goes_on = !state.status.is_terminal();
        let timer = state.next_timer().filter(|_| goes_on);
        let deadline = state.next_deadline().filter(|_| goes_on);
        let next_look = now + look_within_ms(state, now);
        let timer = self.asks(timer, self.timer_before, now);
        let deadline = deadline.filter(|due| *due < next_look);
        let deadline = self.asks(deadline, self.deadline_before, now);
        timer.into_iter().chain(deadline.filter(|_| deadline != timer))
    }

    fn asks(&self, due: Option<Timestamp>, before: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let due = due?;
        let covers = |at: Option<Timestamp>| at.is_some_and(|at| at > now && at <= due);
        let came_early = self.is_woken && due.millis_since(now) <= EARLY_MS;
        let is_asked_for = covers(self.on_its_way) || (!self.recovers && covers(before));
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
        let on_its_way = |at| Wakes {
            on_its_way: at,
            ..quiet
        };
        let woken = Wakes {
            is_woken: true,
            ..quiet
        };
        let recovers = Wakes {
            recovers: true,
            ..quiet
        };
        let table = [
            ("nothing is due", quiet, None, None, false),
            ("a first time", quiet, None, at(1_000), true),
            ("the same time as before", quiet, at(1_000), at(1_000), false),
            ("a later time than before", quiet, at(1_000), at(2_000), false),
            ("an earlier time than before", quiet, at(2_000), at(1_000), true),
            ("the time before has passed", quiet, at(-1), at(60_000), true),
            (
                "asked for by this process",
                on_its_way(at(500)),
                None,
                at(1_000),
                false,
            ),
            (
                "what was on its way has passed",
                on_its_way(at(0)),
                None,
                at(1_000),
                true,
            ),
            ("it came early", woken, at(1_000), at(1_000), true),
            ("it came for something else", woken, at(60_000), at(60_000), false),
            ("nothing is believed", recovers, at(1_000), at(1_000), true),
        ];
        for (case, wakes, before, due, asks) in table {
            assert_eq!(wakes.asks(due, before, NOW), due.filter(|_| asks), "{case}");
        }
    }
}
