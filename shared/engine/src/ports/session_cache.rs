//! Keeping loaded runs between turns.

use orchestrator_core::ids::RunId;

use crate::drive::Session;

/// Keeps loaded runs so that a turn need not read the journal again. Only a shortcut: a stale session loses the race of
/// its append and is loaded again.
pub trait SessionCache {
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
