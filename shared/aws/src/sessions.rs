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

#[cfg(test)]
mod tests {
    use orchestrator_core::run::Submission;
    use orchestrator_core::time::Timestamp;
    use orchestrator_core::workflow::{Limits, parse};
    use orchestrator_engine::ports::journal::Blob;
    use serde_json::json;

    use super::*;

    fn session(n: usize, tasks: usize) -> Session {
        let task = |n: usize| json!({"id": format!("t{n}"), "agent": "writer", "action": "write"});
        let tasks: Vec<_> = (0..tasks).map(task).collect();
        let document = json!({"name": "test", "tasks": tasks}).to_string();
        let workflow = parse(document.as_bytes(), &Limits::api()).workflow.unwrap();
        let submission = Submission {
            run: run(n),
            definition: [0; 32],
            client_id: "ann".to_owned(),
            inputs: Arc::new(json!({})),
            metadata: Arc::new(json!({})),
            priority: None,
            trace: Default::default(),
            needs_admission: false,
            is_fresh: false,
            sla: Default::default(),
        };
        let definition = Blob {
            hash: [0; 32],
            bytes: [].into(),
        };
        Session::submit(Arc::new(workflow), definition, submission, Timestamp(0))
    }

    fn run(n: usize) -> RunId {
        RunId::from_parts(1, n as u128)
    }

    #[test]
    fn the_runs_used_last_are_kept_within_the_bounds() {
        let sessions = Sessions::default();
        for n in 0..SESSIONS_MAX {
            sessions.put(session(n, 1));
        }
        let used = sessions.take(run(0)).unwrap();
        sessions.put(used);
        sessions.put(session(SESSIONS_MAX, 2));
        assert!(sessions.take(run(1)).is_none(), "the one used longest ago went");
        assert!(sessions.take(run(0)).is_some(), "not the one put first");
        assert!(sessions.take(run(0)).is_none(), "what is taken is gone");
        let kept = sessions.0.lock().unwrap();
        assert_eq!(
            (kept.sessions.len(), kept.by_use.len()),
            (SESSIONS_MAX - 1, SESSIONS_MAX - 1)
        );
        assert_eq!(kept.nodes, SESSIONS_MAX, "one of two tasks, the others of one");
    }
}
