//! A process group that can be told to stop from another thread.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The group of one attempt, from before its start to after its end. Signals reach it only while its leader's id cannot
/// have been given to another process: until the leader is reaped.
#[derive(Debug, Default)]
pub struct Process(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    group: Option<Pid>,
    is_stopping: bool,
}

impl Process {
    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    /// The process was started; it is told at once if it had to stop already.
    pub fn started(&self, leader: Pid) {
        let mut state = self.lock();
        state.group = Some(leader);
        if state.is_stopping {
            signal(&state, Signal::TERM);
        }
    }

    /// Asks the group to end.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.is_stopping = true;
        signal(&state, Signal::TERM);
    }

    /// Ends the group.
    pub fn kill(&self) {
        signal(&self.lock(), Signal::KILL);
    }

    /// The leader is about to be reaped.
    pub fn ended(&self) {
        self.lock().group = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signal(state: &State, signal: Signal) {
    if let Some(group) = state.group {
        // A group that is gone needs no signal.
        let _ = kill_process_group(group, signal);
    }
}
