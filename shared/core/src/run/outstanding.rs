//! What a run still owes, recomputed from its state.

use super::effect::Effect;
use super::state::RunState;
use super::status::{RunStatus, TaskStatus};
use crate::ids::AttemptKey;

impl RunState {
    /// Everything owed to the outside world, whoever forgot to do it. Sent again on redelivery, after a restart and by
    /// the sweep; a repeat costs a message, never a wrong result. Cost follows what is live, not the size of the run.
    pub fn outstanding(&self) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.taken_back().map(Effect::Forget).collect();
        for key in self.fenced() {
            effects.push(Effect::Stop(key));
            effects.push(Effect::Release(key));
        }
        if self.status == RunStatus::Pending && self.submission.needs_admission {
            effects.push(Effect::Admit);
        }
        if self.status.is_terminal() && self.submission.needs_admission {
            effects.push(Effect::Release(AttemptKey::admission(self.id())));
        }
        for key in self.live() {
            if self.node(key.node).status == TaskStatus::Queued {
                effects.push(Effect::Dispatch(key));
            }
        }
        if self.needs_decision() {
            effects.push(Effect::Decide);
        }
        effects
    }

    /// Whether some task waits for an answer of the policy or of the pools.
    pub fn needs_decision(&self) -> bool {
        self.status == RunStatus::Running
            && (!self.index.ready.is_empty() || self.held().any(|node| self.node(node).waits_for_pool()))
    }

    /// Whether an effect still makes sense in this state: later events of the same append may have overtaken it.
    pub fn still_owes(&self, effect: Effect) -> bool {
        match effect {
            Effect::Admit => self.status == RunStatus::Pending,
            Effect::Decide => self.status == RunStatus::Running && !self.index.ready.is_empty(),
            Effect::Dispatch(key) => self.is_live_attempt(key),
            Effect::Stop(key) => !self.is_live_attempt(key),
            Effect::Release(key) if key.is_admission() => self.status.is_terminal(),
            Effect::Release(key) => self.lease_key_of(key.node) != Some(key),
            Effect::Keep(key) => {
                self.attempt_of(key.node) == key && self.node(key.node).status == TaskStatus::Success
            }
            Effect::Forget(key) => self.index.taken_back.contains(key),
        }
    }
}
