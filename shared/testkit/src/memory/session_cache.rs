//! Loaded runs kept between turns.

use std::collections::BTreeMap;

use orchestrator_core::ids::RunId;
use orchestrator_engine::drive::Session;
use orchestrator_engine::ports::SessionCache;

use super::Shared;

/// Keeps sessions, or nothing at all, as a host without memory between calls.
#[derive(Debug, Clone, Default)]
pub struct MemorySessions(Option<Shared<BTreeMap<RunId, Session>>>);

impl MemorySessions {
    /// Keeps sessions.
    pub fn keeping() -> MemorySessions {
        MemorySessions(Some(Shared::default()))
    }

    /// Keeps nothing.
    pub fn none() -> MemorySessions {
        MemorySessions(None)
    }

    /// Forgets everything, as a restarted process does.
    pub fn clear(&self) {
        if let Some(sessions) = &self.0 {
            sessions.lock().clear();
        }
    }

    /// Looks at the kept session of a run.
    pub fn with<T>(&self, run: RunId, look: impl FnOnce(&Session) -> T) -> Option<T> {
        self.0.as_ref()?.lock().get(&run).map(look)
    }
}

impl SessionCache for MemorySessions {
    fn take(&self, run: RunId) -> Option<Session> {
        self.0.as_ref()?.lock().remove(&run)
    }

    fn put(&self, session: Session) {
        if let Some(sessions) = &self.0 {
            sessions.lock().insert(session.state().id(), session);
        }
    }
}
