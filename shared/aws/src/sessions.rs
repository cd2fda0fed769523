//! Loaded runs kept while the process is warm.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_core::ids::RunId;
use orchestrator_engine::drive::Session;
use orchestrator_engine::ports::SessionCache;

/// Keeps the runs used last. Other processes append to the same runs, so a kept session is brought up to date with what
/// was appended since: the journal is read from the start once per process, not once per message.
#[derive(Debug, Clone, Default)]
pub struct Sessions(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    sessions: HashMap<RunId, (Session, u64)>,
    by_use: BTreeMap<u64, RunId>,
    uses: u64,
    nodes: usize,
}

/// Runs kept.
const SESSIONS_MAX: usize = 256;
/// Tasks of all runs kept: about 100 MB.
const NODES_MAX: usize = 200_000;

impl Kept {
    fn remove(&mut self, run: RunId) -> Option<Session> {
        let (session, used) = self.sessions.remove(&run)?;
        self.by_use.remove(&used);
        self.nodes -= session.state().nodes().len();
        Some(session)
    }
}

impl SessionCache for Sessions {
    fn is_shared(&self) -> bool {
        true
    }

    fn take(&self, run: RunId) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(run)
    }

    fn put(&self, session: Session) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let run = session.state().id();
        kept.remove(run);
        if session.state().status.is_terminal() {
            return;
        }
        kept.uses += 1;
        let used = kept.uses;
        kept.nodes += session.state().nodes().len();
        kept.by_use.insert(used, run);
        kept.sessions.insert(run, (session, used));
        while kept.sessions.len() > SESSIONS_MAX || kept.nodes > NODES_MAX {
            let Some((_, oldest)) = kept.by_use.pop_first() else {
                return;
            };
            kept.remove(oldest);
        }
    }
}
