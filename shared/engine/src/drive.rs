//! Load, decide, append, carry out: the loop every function goes through.

mod load;

use std::collections::BTreeSet;
use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::{
    self, Command, Effect, Event, Outcome, Rejection, RunState, RunStatus, Submission,
};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::Workflow;

use crate::effects;
use crate::engine::Engine;
use crate::error::Error;
use crate::observe::Tracing;
use crate::ports::event_bus::Committed;
use crate::ports::journal::{self, Append, Blob};
use crate::ports::messages::Recovery;
use crate::ports::run_index::RunSummary;
use crate::ports::{Clock, EventBus, Journal, Messages, Pools, Ports, RunIndex, SessionCache};
use crate::record;
use crate::sweep::look_within_ms;
use crate::trace::turn::UseCase;
use crate::views::AlertView;
use crate::wakes::Wakes;

/// How often a turn is tried again after losing a race.
pub const CONFLICTS_MAX: u32 = 16;

/// A loaded run and what has been decided about it since the last append.
#[derive(Debug)]
pub struct Session {
    state: RunState,
    seq: u64,
    /// Time of the turn: every event of one append happens at one time.
    now: Timestamp,
    outcome: Outcome,
    status_stored: Option<RunStatus>,
    blobs: Vec<Blob>,
    /// Leases taken for this turn; those the run does not end up holding are given back.
    taken: Vec<AttemptKey>,
    wakes: Wakes,
    /// What the turn is for.
    pub(crate) use_case: UseCase,
    /// The trace of the run, if it is exported.
    pub(crate) tracing: Option<Tracing>,
}

impl Session {
    /// Starts a run that is not stored yet.
    pub fn submit(
        workflow: Arc<Workflow>,
        definition: Blob,
        submission: Submission,
        now: Timestamp,
    ) -> Session {
        let (state, outcome) = run::submit(workflow, Arc::new(submission), now);
        Session {
            state,
            seq: 0,
            now,
            outcome,
            status_stored: None,
            blobs: vec![definition],
            taken: Vec::new(),
            wakes: Wakes::default(),
            use_case: UseCase::Submit,
            tracing: None,
        }
    }

    /// The run, as it will be once the pending events are appended.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Whether the turn sends again what may have been sent before.
    pub(crate) fn recovers(&self) -> bool {
        self.wakes.recovers
    }

    /// The time of this turn.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Appends of the run so far.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Events decided but not appended yet.
    pub fn pending(&self) -> &[Event] {
        &self.outcome.events
    }

    /// Decides a command and keeps its outcome for the next append.
    ///
    /// # Errors
    /// When the run refuses it; nothing changed.
    pub fn execute(&mut self, command: Command) -> Result<(), Rejection> {
        let outcome = run::decide(&mut self.state, command, self.now)?;
        self.outcome.extend(outcome);
        Ok(())
    }

    /// Notes leases taken for this turn.
    pub fn note_taken(&mut self, keys: impl IntoIterator<Item = AttemptKey>) {
        self.taken.extend(keys);
    }

    /// Leases taken for this turn.
    pub(crate) fn taken(&self) -> &[AttemptKey] {
        &self.taken
    }

    /// Adds what is owed and may not have been carried out.
    pub fn owe_again(&mut self, recovery: Recovery) {
        self.wakes.recovers = true;
        self.wakes.is_look |= recovery.is_look;
        // The turn may hand them over already, and two of its messages may ask for the same.
        let dispatch = |effect: &Effect| match effect {
            Effect::Dispatch(key) => Some(*key),
            _ => None,
        };
        let owed: BTreeSet<AttemptKey> = self.outcome.effects.iter().filter_map(dispatch).collect();
        let mut effects = self.state.outstanding();
        effects.retain(|effect| match effect {
            Effect::Dispatch(key) => {
                let queued_at = self.state.node(key.node).queued_at;
                queued_at.is_none_or(|at| at >= recovery.since) && !owed.contains(key)
            }
            _ => true,
        });
        self.outcome.extend(Outcome {
            events: Vec::new(),
            effects,
        });
    }

    /// Notes that a wake-up has come.
    pub(crate) fn note_woken(&mut self) {
        self.wakes.is_woken = true;
    }

    /// Adds an effect owed to the outside.
    pub fn owe(&mut self, effect: Effect) {
        self.outcome.extend(Outcome {
            events: Vec::new(),
            effects: vec![effect],
        });
    }

    fn is_clean(&self) -> bool {
        self.outcome.events.is_empty()
    }
}

impl<P: Ports> Engine<P> {
    /// Runs `step` on the loaded run, appends what it decided and carries out what that made due. Loses a race: loads and
    /// decides again.
    ///
    /// # Errors
    /// The step's own, and those of loading and appending.
    pub async fn drive<T>(
        &self,
        run: RunId,
        step: impl AsyncFnMut(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.drive_after(run, Vec::new(), step).await
    }

    /// The same after a turn that lost its race with leases in hand: `taken`.
    pub(crate) async fn drive_after<T>(
        &self,
        run: RunId,
        mut taken: Vec<AttemptKey>,
        mut step: impl AsyncFnMut(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        for _ in 0..CONFLICTS_MAX {
            let mut session = self.session(run).await?;
            session.now = self.ports.clock().now();
            session.wakes.begin(&session.state);
            session.note_taken(taken.iter().copied());
            let result = match step(&mut session).await {
                Ok(result) => result,
                Err(error) => {
                    let taken = std::mem::take(&mut session.taken);
                    if session.is_clean() {
                        self.ports.session_cache().put(session);
                    }
                    self.give_back(run, taken).await;
                    return Err(error);
                }
            };
            match self.commit(&mut session).await {
                Ok(()) => {
                    let told = self.ask_again(&session, taken).await;
                    self.ports.session_cache().put(session);
                    return told.map(|()| result);
                }
                Err(Error::Journal(journal::Error::Conflict { .. })) => taken = session.taken,
                Err(error) => {
                    self.give_back(run, session.taken).await;
                    return Err(error);
                }
            }
        }
        Err(Error::TooManyConflicts {
            run,
            tries: CONFLICTS_MAX,
        })
    }

    /// A turn that lost its race may have asked for other slots, and got them at once, for what stands in line according to
    /// the run: nobody else would tell it.
    async fn ask_again(&self, session: &Session, mut taken: Vec<AttemptKey>) -> Result<(), Error> {
        let state = session.state();
        taken.retain(|key| match key.is_admission() {
            true => state.status == RunStatus::Pending,
            false => effects::holds(state, *key) && state.node(key.node).waits_for_pool(),
        });
        if taken.is_empty() {
            return Ok(());
        }
        Ok(self.ports.messages().send(effects::granted(taken)).await?)
    }

    /// Stores a new run and carries out what it made due.
    ///
    /// # Errors
    /// When it cannot be stored; a `Conflict` means that the run exists already.
    pub async fn start(&self, mut session: Session) -> Result<(), Error> {
        match self.commit(&mut session).await {
            Ok(()) => {
                self.ports.session_cache().put(session);
                Ok(())
            }
            Err(error) => {
                if !matches!(error, Error::Journal(journal::Error::Conflict { .. })) {
                    self.give_back(session.state.id(), session.taken).await;
                }
                Err(error)
            }
        }
    }

    /// A turn failed: leases taken for it that the run, as it is stored, does not hold go to the next in line. When that
    /// cannot be done either, the lease stays with its key until the run asks again, the sweep comes by, or the host
    /// restarts.
    async fn give_back(&self, run: RunId, mut taken: Vec<AttemptKey>) {
        if taken.is_empty() {
            return;
        }
        let seen = match self.load(run).await {
            Ok(stored) => {
                taken.retain(|key| !effects::holds(&stored.state, *key));
                stored.seq
            }
            Err(Error::UnknownRun(_)) => 0,
            Err(_) => return,
        };
        if let Ok(released) = self.ports.pools().release(&taken, seen).await
            && let Err(error) = self
                .ports
                .messages()
                .send(effects::granted(released.granted))
                .await
        {
            let trace_id = self.trace_id(run);
            tracing::warn!(run_id = %run, trace_id, %error, "runs were not told of freed slots");
        }
    }

    /// Appends what the session has decided, then carries out what is due.
    async fn commit(&self, session: &mut Session) -> Result<(), Error> {
        let appended = session.pending().len();
        let result = self.append_and_carry_out(session).await;
        self.observe_turn(session, appended, &result);
        result
    }

    async fn append_and_carry_out(&self, session: &mut Session) -> Result<(), Error> {
        let at = session.now;
        let events = std::mem::take(&mut session.outcome.events);
        let effects = std::mem::take(&mut session.outcome.effects);
        if !events.is_empty() {
            let state = &session.state;
            debug_check(state);
            let has_new_status = session.status_stored != Some(state.status);
            let append = Append {
                run: state.id(),
                seq: session.seq + 1,
                record: record::encode(at, &events),
                summary: has_new_status.then(|| RunSummary::of(state)),
                blobs: std::mem::take(&mut session.blobs),
                alerts: alerts(&events, at, state),
            };
            self.ports
                .journal()
                .append(append)
                .await
                .map_err(Error::Journal)?;
            session.seq += 1;
            session.status_stored = Some(state.status);
            let committed = Committed {
                run: state.id(),
                seq: session.seq,
                at,
                events: &events,
                status: state.status,
                state,
                turn: self.turn_of(session),
                is_repeat: false,
            };
            let published = self.ports.event_bus().publish(committed).await;
            self.observe(session, at, &events);
            published?;
        }
        let taken = std::mem::take(&mut session.taken);
        let kept = self.carry_out(session, effects, taken).await?;
        if !kept.is_empty() {
            self.fence(session, kept).await?;
        }
        self.look_after(session).await
    }

    /// Asks to be woken when time itself changes the run next, and repairs what a lost message or a crash left behind.
    async fn look_after(&self, session: &mut Session) -> Result<(), Error> {
        let Session { state, now, .. } = &*session;
        let mut asked = None;
        for at in session.wakes.due(state, *now) {
            if self.ports.messages().wake(state.id(), at, *now).await? {
                asked = Some(at);
            }
        }
        let look_at = *now + look_within_ms(state, *now);
        session.wakes.on_its_way = asked.or(session.wakes.on_its_way);
        if std::mem::take(&mut session.wakes.recovers) {
            let summary = RunSummary::of(&session.state);
            let index = self.ports.run_index();
            let look_at = session.wakes.is_look.then_some(look_at);
            index.repair(&summary, session.seq, look_at).await?;
            index.looked_at(&session.state, session.now).await?;
        }
        Ok(())
    }

    /// Leases were asked for by a turn that has seen as much as this one or more. It may be about to record them, or it is
    /// dead. An empty append settles it: after that, whoever is still to record them loses its race.
    async fn fence(&self, session: &mut Session, keys: Vec<AttemptKey>) -> Result<(), Error> {
        let append = Append {
            run: session.state.id(),
            seq: session.seq + 1,
            record: record::encode(session.now, &[]),
            summary: None,
            blobs: Vec::new(),
            alerts: Vec::new(),
        };
        match self.ports.journal().append(append).await {
            Ok(()) => session.seq += 1,
            // The run went on: what it holds now is for those who see it.
            Err(journal::Error::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(Error::Journal(error)),
        }
        let released = self.ports.pools().release(&keys, session.seq).await?;
        let messages = effects::granted(released.granted);
        if !messages.is_empty() {
            self.ports.messages().send(messages).await?;
        }
        Ok(())
    }
}

/// The alerts among the events of one append.
fn alerts(events: &[Event], at: Timestamp, state: &RunState) -> Vec<AlertView> {
    let alert = |event: &Event| AlertView::of(event, at, state);
    events.iter().filter_map(alert).collect()
}

/// Debug builds check the invariants of small runs after every turn; large ones are left to the simulator.
fn debug_check(state: &RunState) {
    const NODES_MAX: usize = 256;
    if cfg!(debug_assertions) && state.nodes().len() <= NODES_MAX {
        let checked = run::invariants::check(state);
        debug_assert_eq!(checked, Ok(()), "run {}", state.id());
    }
}
