//! Carrying out what an append made due.

use std::collections::BTreeSet;
use std::sync::Arc;

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::pool::Released;
use orchestrator_core::run::{Effect, Failure, FailureClass, Report, ReportKind, ResultKey, RunState};

use crate::decision::admission_pool;
use crate::drive::Session;
use crate::engine::Engine;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::ports::compute::Dispatch;
use crate::ports::messages::{Body, Candidates, Message};
use crate::ports::{Compute, Messages, Pools, Ports};

impl<P: Ports> Engine<P> {
    /// Carries out the effects that later events of the same append have not overtaken, in an order that never hands out a
    /// slot before whatever held it was told to stop. `taken` are leases taken for this turn; those the run does not hold
    /// are given back. Returns the leases that could not be given back because a turn that had seen more asked for them.
    pub(crate) async fn carry_out(
        &self,
        session: &Session,
        effects: Vec<Effect>,
        taken: Vec<AttemptKey>,
    ) -> Result<Vec<AttemptKey>, Error> {
        let state = session.state();
        let mut due = Due::default();
        for effect in effects.into_iter().filter(|effect| state.still_owes(*effect)) {
            due.sort_in(effect);
        }
        due.releases
            .extend(taken.into_iter().filter(|key| !holds(state, *key)));
        let mut messages = due.messages(state);
        if !due.stops.is_empty() {
            self.ports.compute().stop(due.stops).await?;
        }
        let mut kept = Vec::new();
        if !due.releases.is_empty() {
            let releases: Vec<AttemptKey> = due.releases.into_iter().collect();
            let released = self.release(session, &releases).await?;
            messages.extend(granted(released.granted));
            kept = released.kept;
        }
        if !due.forgets.is_empty() {
            self.forget(session, &due.forgets).await;
        }
        if !due.dispatches.is_empty() {
            let dispatches = self.envelopes(session, due.dispatches, &mut messages);
            let handed = self.hands_over(session, &dispatches);
            self.ports.compute().dispatch(dispatches).await?;
            self.observe_dispatch(session, handed);
        }
        if !messages.is_empty() {
            let turn = self.turn_of(session);
            self.ports.messages().send_from(turn, messages).await?;
        }
        if !due.keeps.is_empty() {
            self.keep(session, &due.keeps).await;
        }
        Ok(kept)
    }

    /// Gives back what the attempts hold, where the run remembers it to be.
    async fn release(&self, session: &Session, keys: &[AttemptKey]) -> Result<Released, Error> {
        let state = session.state();
        let known: Option<Vec<_>> = keys.iter().map(|key| pools_of(state, *key)).collect();
        let pools = self.ports.pools();
        let released = match known {
            Some(known) => {
                let mut known = known.concat();
                known.sort_unstable();
                known.dedup();
                pools.release_in(&known, keys, session.seq()).await?
            }
            None => pools.release(keys, session.seq()).await?,
        };
        Ok(released)
    }

    fn envelopes(
        &self,
        session: &Session,
        keys: Vec<AttemptKey>,
        messages: &mut Vec<Message>,
    ) -> Vec<Dispatch> {
        let (state, is_repeat) = (session.state(), session.recovers());
        let mut dispatches = Vec::with_capacity(keys.len());
        for key in keys {
            match Envelope::of(state, key, self.tokens.sign(key), self.parent_of(session, key)) {
                Ok(envelope) => {
                    let choice = state
                        .choice_of(key.node)
                        .expect("an envelope was made from its choice");
                    dispatches.push(Dispatch {
                        key,
                        choice: Arc::clone(choice),
                        envelope: Arc::new(envelope),
                        client_id: state.submission.client_id.clone(),
                        is_repeat,
                    });
                }
                Err(message) => messages.push(failed(key, message)),
            }
        }
        dispatches
    }
}

/// Effects sorted by kind.
#[derive(Default)]
struct Due {
    stops: Vec<AttemptKey>,
    releases: BTreeSet<AttemptKey>,
    dispatches: Vec<AttemptKey>,
    keeps: Vec<AttemptKey>,
    forgets: Vec<ResultKey>,
    admits: bool,
    decides: bool,
}

impl Due {
    fn sort_in(&mut self, effect: Effect) {
        match effect {
            Effect::Stop(key) => self.stops.push(key),
            Effect::Release(key) => drop(self.releases.insert(key)),
            Effect::Dispatch(key) => self.dispatches.push(key),
            Effect::Keep(key) => self.keeps.push(key),
            Effect::Forget(key) => self.forgets.push(key),
            Effect::Admit => self.admits = true,
            Effect::Decide => self.decides = true,
        }
    }

    fn messages(&self, state: &RunState) -> Vec<Message> {
        let run = state.id();
        let admit = self.admits.then_some(Message {
            run,
            body: Body::Admit,
        });
        let decide = self.decides.then_some(Message {
            run,
            body: Body::Decide(Candidates::Ready),
        });
        admit.into_iter().chain(decide).collect()
    }
}

/// Whether the run holds slots, a place in line or its own place under this key.
pub(crate) fn holds(state: &RunState, key: AttemptKey) -> bool {
    if key.is_admission() {
        !state.status.is_terminal()
    } else {
        state.lease_key_of(key.node) == Some(key)
    }
}

/// The pools an attempt's slots are in; `None` when the run does not remember, because the task has moved on.
fn pools_of(state: &RunState, key: AttemptKey) -> Option<Vec<String>> {
    if key.is_admission() {
        return Some(vec![admission_pool(&state.submission.client_id).pool]);
    }
    let node = state.get(key.node)?;
    let is_current = (node.epoch, node.attempt) == (key.epoch, key.attempt);
    let choice = state.choice_of(key.node).filter(|_| is_current)?;
    Some(choice.pools.iter().map(|demand| demand.pool.clone()).collect())
}

/// Messages that tell the runs of granted attempts.
pub(crate) fn granted(mut keys: Vec<AttemptKey>) -> Vec<Message> {
    keys.sort_unstable();
    let (admissions, attempts): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.is_admission());
    let admit = admissions.into_iter().map(|key| Message {
        run: key.run,
        body: Body::Admit,
    });
    let decide = attempts
        .chunk_by(|left, right| left.run == right.run)
        .map(|keys| Message {
            run: keys[0].run,
            body: Body::Decide(Candidates::Granted(keys.to_vec())),
        });
    admit.chain(decide).collect()
}

/// A message that reports an attempt as failed because it cannot be handed over.
fn failed(key: AttemptKey, message: String) -> Message {
    let failure = Failure {
        class: FailureClass::Validation,
        message,
        exit_code: None,
    };
    let kind = ReportKind::Failure(Arc::new(failure));
    let report = Report {
        node: key.node,
        epoch: key.epoch,
        attempt: key.attempt,
        kind,
    };
    Message {
        run: key.run,
        body: Body::Reports(vec![report]),
    }
}
