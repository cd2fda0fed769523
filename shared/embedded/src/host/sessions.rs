//! Loaded runs between their turns, and when time itself will change each of them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use orchestrator_core::ids::{IdMap, RunId};
use orchestrator_core::run::RunState;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::drive::Session;
use orchestrator_engine::ports::SessionCache;

/// Keeps the sessions of runs that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Sessions(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    sessions: IdMap<RunId, Session>,
    due: IdMap<RunId, Timestamp>,
    timers: BTreeSet<(Timestamp, RunId)>,
}

/// Runs kept in memory; others are loaded when something happens to them.
const SESSIONS_MAX: usize = 20_000;

impl Sessions {
    /// Looks at a run that is loaded and at rest.
    pub(crate) fn look<T>(&self, run: RunId, look: impl FnOnce(Option<(&RunState, u64)>) -> T) -> T {
        let state = self.0.borrow();
        look(
            state
                .sessions
                .get(&run)
                .map(|session| (session.state(), session.seq())),
        )
    }

    /// Looks at every run that is loaded and at rest.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&RunState)) {
        let state = self.0.borrow();
        state.sessions.values().for_each(|session| look(session.state()));
    }

    /// Runs in memory.
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().sessions.len()
    }

    /// When the next run is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.0.borrow().timers.first().map(|(due, _)| *due)
    }

    /// Takes out the runs that are due by now.
    pub(crate) fn take_due(&self, now: Timestamp) -> Vec<RunId> {
        let mut state = self.0.borrow_mut();
        let mut runs = Vec::new();
        while let Some(&(due, run)) = state.timers.first().filter(|(due, _)| *due <= now) {
            state.timers.remove(&(due, run));
            state.due.remove(&run);
            runs.push(run);
        }
        runs
    }
}

impl SessionCache for Sessions {
    fn take(&self, run: RunId) -> Option<Session> {
        self.0.borrow_mut().sessions.remove(&run)
    }

    fn put(&self, session: Session) {
        let mut state = self.0.borrow_mut();
        let run = session.state().id();
        let has_ended = session.state().status.is_terminal();
        let due = session.state().next_due().filter(|_| !has_ended);
        // What could not be done when it was due is not tried again in the same instant.
        let due = due.map(|due| due.max(session.now() + 1));
        let old = match due {
            Some(due) => state.due.insert(run, due),
            None => state.due.remove(&run),
        };
        if old != due {
            old.map(|old| state.timers.remove(&(old, run)));
            due.map(|due| state.timers.insert((due, run)));
        }
        if has_ended {
            return;
        }
        if state.sessions.len() >= SESSIONS_MAX {
            let victim = state.sessions.keys().next().copied();
            victim.map(|run| state.sessions.remove(&run));
        }
        state.sessions.insert(run, session);
    }
}
