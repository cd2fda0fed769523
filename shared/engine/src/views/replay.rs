//! Folding a journal, once or step by step.

use std::sync::Arc;

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Event, RunState};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::Workflow;

use crate::error::Error;
use crate::ports::journal::StoredAppend;
use crate::ports::{Journal, journal};
use crate::record;

/// A run as far as its journal has been read.
#[derive(Debug)]
pub struct Replay {
    run: RunId,
    seq: u64,
    state: Option<RunState>,
}

/// One event in its place, with the run as it is after it.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Its append.
    pub seq: u64,
    /// Its place within the append, from 0.
    pub index: usize,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: &'a Event,
    /// The run after it.
    pub state: &'a RunState,
}

impl Replay {
    /// Nothing read yet.
    pub fn new(run: RunId) -> Replay {
        Replay {
            run,
            seq: 0,
            state: None,
        }
    }

    /// Reads the whole journal of `run` and returns the run as it is.
    ///
    /// # Errors
    /// When there is no such run, or its journal cannot be read.
    pub async fn state_of<J: Journal>(journal: &J, run: RunId) -> Result<(RunState, u64), Error> {
        let mut replay = Replay::new(run);
        replay.advance(journal, |_| {}).await?;
        let seq = replay.seq;
        match replay.state {
            Some(state) => Ok((state, seq)),
            None => Err(Error::UnknownRun(run)),
        }
    }

    /// Appends read so far.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The run; `None` until its first append has been read.
    pub fn state(&self) -> Option<&RunState> {
        self.state.as_ref()
    }

    /// The run, by value.
    pub fn into_state(self) -> Option<RunState> {
        self.state
    }

    /// Reads what has been appended since, and shows every event to `see`.
    ///
    /// # Errors
    /// When the journal cannot be read or is corrupt.
    pub async fn advance<J: Journal>(&mut self, journal: &J, see: impl FnMut(Step<'_>)) -> Result<(), Error> {
        self.advance_from(journal, |_, _| {}, see).await
    }

    /// The same; `before` is shown every event but the first with the run as it is before it.
    ///
    /// # Errors
    /// When the journal cannot be read or is corrupt.
    pub async fn advance_from<J: Journal>(
        &mut self,
        journal: &J,
        mut before: impl FnMut(&RunState, &Event),
        mut see: impl FnMut(Step<'_>),
    ) -> Result<(), Error> {
        for append in journal.load(self.run, self.seq).await.map_err(Error::Journal)? {
            let seq = append.seq;
            let (at, events) = self.decode(&append)?;
            for (index, event) in events.iter().enumerate() {
                if let Some(state) = &self.state {
                    before(state, event);
                }
                self.apply(journal, seq, event, at).await?;
                let state = self.state.as_ref().expect("applying an event leaves a state");
                see(Step {
                    seq,
                    index,
                    at,
                    event,
                    state,
                });
            }
            self.seq = seq;
        }
        Ok(())
    }

    /// Takes in the next append, and returns what it says and when it was made.
    ///
    /// # Errors
    /// When it is not the next one, or corrupt, or the definition of the run cannot be read.
    pub async fn take_in<J: Journal>(
        &mut self,
        journal: &J,
        append: &StoredAppend,
    ) -> Result<(Timestamp, Vec<Event>), Error> {
        let (at, events) = self.decode(append)?;
        for event in &events {
            self.apply(journal, append.seq, event, at).await?;
        }
        self.seq = append.seq;
        Ok((at, events))
    }

    fn decode(&self, append: &StoredAppend) -> Result<(Timestamp, Vec<Event>), Error> {
        if append.seq != self.seq + 1 {
            return Err(self.corrupt(
                append.seq,
                format!("append {} follows append {}", append.seq, self.seq),
            ));
        }
        record::decode(&append.record).map_err(|error| self.corrupt(append.seq, error.to_string()))
    }

    async fn apply<J: Journal>(
        &mut self,
        journal: &J,
        seq: u64,
        event: &Event,
        at: Timestamp,
    ) -> Result<(), Error> {
        match (&mut self.state, event) {
            (Some(state), event) => state.evolve(event, at),
            (None, Event::RunSubmitted(submission)) => {
                let workflow = self.definition(journal, submission.definition).await?;
                self.state = Some(RunState::submitted(workflow, Arc::clone(submission), at));
            }
            (None, _) => return Err(self.corrupt(seq, "the first event is not the submission".to_owned())),
        }
        Ok(())
    }

    async fn definition<J: Journal>(&self, journal: &J, hash: [u8; 32]) -> Result<Arc<Workflow>, Error> {
        let bytes = journal.blob(hash).await.map_err(Error::Journal)?;
        let bytes = bytes.ok_or_else(|| self.corrupt(1, "its definition is missing".to_owned()))?;
        match Workflow::from_canonical(&bytes) {
            Ok(workflow) => Ok(Arc::new(workflow)),
            Err(problems) => Err(self.corrupt(1, format!("its definition has {} problems", problems.len()))),
        }
    }

    fn corrupt(&self, seq: u64, detail: String) -> Error {
        Error::Journal(journal::Error::Corrupt {
            run: self.run,
            seq,
            detail,
        })
    }
}
