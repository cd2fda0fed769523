//! Keeping loaded runs between turns.

use orchestrator_core::ids::RunId;

use crate::drive::Session;

/// Keeps loaded runs so that a turn need not read the whole journal again. Only a shortcut: a stale session loses the race
/// of its append and is loaded again.
pub trait SessionCache {
    /// Whether other processes append to the same runs. Kept sessions are then brought up to date before they are used,
    /// because a stale one may find nothing to do.
    fn is_shared(&self) -> bool {
        false
    }

    /// Takes the session of `run` out, if it is there.
    fn take(&self, run: RunId) -> Option<Session>;

    /// Puts a session back whose appends are all stored.
    fn put(&self, session: Session);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

impl SessionCache for NoCache {
    fn take(&self, _run: RunId) -> Option<Session> {
        None
    }

    fn put(&self, _session: Session) {}
}
