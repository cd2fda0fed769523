//! Loading runs: from what is kept, from their journals, or both.

use std::sync::Arc;

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Event, Outcome, RunState};

use super::Session;
use crate::engine::Engine;
use crate::error::Error;
use crate::observe::Tracing;
use crate::ports::{Clock, Journal, Ports, SessionCache, journal};
use crate::record;
use crate::trace::turn::UseCase;
use crate::wakes::Wakes;

impl<P: Ports> Engine<P> {
    /// The kept session of a run, brought up to date where others append too; loaded if none is kept.
    pub(super) async fn session(&self, run: RunId) -> Result<Session, Error> {
        let cache = self.ports.session_cache();
        match cache.take(run) {
            Some(session) if cache.is_shared() => self.catch_up(session).await,
            Some(session) => Ok(session),
            None => self.load(run).await,
        }
    }

    /// Loads a run by replaying its journal.
    ///
    /// # Errors
    /// When there is no such run, or its journal cannot be read.
    pub async fn load(&self, run: RunId) -> Result<Session, Error> {
        let mut tracing = None;
        let (state, seq) = self.replay(run, None, 0, &mut tracing).await?;
        Ok(Session {
            status_stored: Some(state.status),
            state,
            seq,
            now: self.ports.clock().now(),
            outcome: Outcome::default(),
            blobs: Vec::new(),
            taken: Vec::new(),
            wakes: Wakes::default(),
            use_case: UseCase::default(),
            tracing,
        })
    }

    /// Brings a session without pending events up to date.
    async fn catch_up(&self, session: Session) -> Result<Session, Error> {
        let run = session.state.id();
        let mut tracing = session.tracing;
        let (state, seq) = self
            .replay(run, Some(session.state), session.seq, &mut tracing)
            .await?;
        Ok(Session {
            status_stored: Some(state.status),
            state,
            seq,
            tracing,
            ..session
        })
    }

    /// Reads what was appended after `seq` into the state.
    async fn replay(
        &self,
        run: RunId,
        mut state: Option<RunState>,
        mut seq: u64,
        tracing: &mut Option<Tracing>,
    ) -> Result<(RunState, u64), Error> {
        for append in self
            .ports
            .journal()
            .load(run, seq)
            .await
            .map_err(Error::Journal)?
        {
            let corrupt = |detail: String| {
                Error::Journal(journal::Error::Corrupt {
                    run,
                    seq: append.seq,
                    detail,
                })
            };
            if append.seq != seq + 1 {
                return Err(corrupt(format!("append {} follows append {seq}", append.seq)));
            }
            seq = append.seq;
            let (at, events) = record::decode(&append.record).map_err(|error| corrupt(error.to_string()))?;
            for event in &events {
                match (&mut state, event) {
                    (None, Event::RunSubmitted(submission)) => {
                        let workflow = self.definition(run, submission.definition).await?;
                        let submitted = RunState::submitted(workflow, Arc::clone(submission), at);
                        *tracing = self.begin_tracing(&submitted);
                        state = Some(submitted);
                    }
                    (Some(state), event) => {
                        state.evolve(event, at);
                        if let Some(tracing) = tracing {
                            tracing.catch_up(event, at);
                        }
                    }
                    (None, _) => return Err(corrupt("the first event is not the submission".to_owned())),
                }
            }
        }
        Ok((state.ok_or(Error::UnknownRun(run))?, seq))
    }
}
