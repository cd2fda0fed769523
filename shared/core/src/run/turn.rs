//! One turn of a run: a command decided and evolved step by step.
//!
//! A command can set off a cascade (a success makes dependents ready, a skip skips what depends on it, the last end ends
//! the run), and each step needs the state the previous one left. So a turn evolves the state as it goes and collects
//! the events to append and the effects they make due. If the append fails, the state is thrown away and loaded again.

use super::effect::Effect;
use super::event::Event;
use super::reuse::ResultKey;
use super::state::RunState;
use crate::ids::{AttemptKey, NodeIx};
use crate::sla::AlertKey;
use crate::time::Timestamp;

/// What a turn produced.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// To be appended to the journal, in order.
    pub events: Vec<Event>,
    /// Due once the events are appended, in order. [`Effect::Decide`] comes at most once.
    pub effects: Vec<Effect>,
}

impl Outcome {
    /// Adds what a later turn of the same append produced.
    pub fn extend(&mut self, later: Outcome) {
        self.events.extend(later.events);
        for effect in later.effects {
            self.push_effect(effect);
        }
    }

    fn push_effect(&mut self, effect: Effect) {
        if effect != Effect::Decide || !self.effects.contains(&Effect::Decide) {
            self.effects.push(effect);
        }
    }
}

pub(super) struct Turn<'a> {
    pub(super) state: &'a mut RunState,
    pub(super) now: Timestamp,
    outcome: Outcome,
    wants_decision: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(state: &'a mut RunState, now: Timestamp) -> Turn<'a> {
        Turn {
            state,
            now,
            outcome: Outcome::default(),
            wants_decision: false,
        }
    }

    /// Records an event, applies it, and derives the effects it makes due.
    pub(super) fn emit(&mut self, event: Event) {
        self.note_late(&event);
        let resolved = self.resolved_by(&event);
        let node = event.node();
        let before = node.and_then(|node| self.hold_of(node));
        let children = self.children_to_retire(&event);
        let forgotten = self.results_taken_back(&event);
        let stops = !matches!(
            &event,
            Event::TaskSucceeded { .. } | Event::AttemptFailed { .. } | Event::TaskFailed { .. }
        ) || event.is_from_our_side(self.state);
        self.state.evolve(&event, self.now);
        if let (Some(node), Some(before)) = (node, before)
            && self.state.lease_key_of(node) != Some(before.key)
        {
            self.let_go(before, stops);
        }
        for child in children {
            self.let_go(child, true);
        }
        match &event {
            Event::TaskReady { .. } | Event::TaskApproved { .. } => self.wants_decision = true,
            Event::TaskQueued { node, .. } => {
                let key = self.state.attempt_of(*node);
                self.outcome.push_effect(Effect::Dispatch(key));
            }
            Event::TaskSucceeded { node, .. } if self.state.node(*node).lookup.is_some() => {
                let key = self.state.attempt_of(*node);
                self.outcome.push_effect(Effect::Keep(key));
            }
            _ => {}
        }
        forgotten
            .into_iter()
            .for_each(|key| self.outcome.push_effect(Effect::Forget(key)));
        self.outcome.events.push(event);
        self.resolve(resolved);
    }

    /// Asks for a decision even if no task became ready in this turn.
    pub(super) fn want_decision(&mut self) {
        self.wants_decision = true;
    }

    pub(super) fn push_effect(&mut self, effect: Effect) {
        self.outcome.push_effect(effect);
    }

    pub(super) fn finish(mut self) -> Outcome {
        if self.wants_decision && self.state.status == super::RunStatus::Running {
            self.outcome.push_effect(Effect::Decide);
        }
        self.outcome
    }

    fn hold_of(&self, node: NodeIx) -> Option<Hold> {
        let key = self.state.lease_key_of(node)?;
        let has_slots = self
            .state
            .choice_of(node)
            .is_some_and(|choice| !choice.pools.is_empty());
        Some(Hold {
            key,
            is_live: self.state.is_live(node),
            has_slots,
        })
    }

    fn children_to_retire(&self, event: &Event) -> Vec<Hold> {
        let Event::TaskReset { node } = event else {
            return Vec::new();
        };
        match self.state.node(*node).group {
            Some(group) => group.children().filter_map(|child| self.hold_of(child)).collect(),
            None => Vec::new(),
        }
    }

    fn results_taken_back(&self, event: &Event) -> Vec<ResultKey> {
        match event {
            Event::TaskReset { node } => self.state.results_of(*node),
            _ => Vec::new(),
        }
    }

    fn let_go(&mut self, hold: Hold, stops: bool) {
        if stops && hold.is_live {
            self.outcome.push_effect(Effect::Stop(hold.key));
        }
        if hold.has_slots {
            self.outcome.push_effect(Effect::Release(hold.key));
        }
    }
}

/// What a node holds or stands in line for.
struct Hold {
    key: AttemptKey,
    is_live: bool,
    has_slots: bool,
}

impl Event {
    /// The node an event is about; `None` for events of the run as a whole.
    pub fn node(&self) -> Option<NodeIx> {
        match self {
            Event::TaskReady { node }
            | Event::TaskExpanded { node, .. }
            | Event::TaskQueued { node, .. }
            | Event::TaskReused { node, .. }
            | Event::TaskHeld { node, .. }
            | Event::TaskApproved { node, .. }
            | Event::TaskStarted { node }
            | Event::TaskProgressed { node, .. }
            | Event::TaskCheckpointed { node, .. }
            | Event::TaskFilesSaved { node, .. }
            | Event::CheckpointRejected { node, .. }
            | Event::TaskSucceeded { node, .. }
            | Event::GroupSucceeded { node }
            | Event::AttemptFailed { node, .. }
            | Event::TaskFailed { node, .. }
            | Event::TaskSkipped { node, .. }
            | Event::TaskCancelled { node }
            | Event::TaskReset { node }
            | Event::GroupReopened { node }
            | Event::CompensationPlanned { of: node, .. }
            | Event::RollbackStopped { node }
            | Event::CompensationWaived { node, .. }
            | Event::ReportRefused { node, .. } => Some(*node),
            Event::SlaWarned { key, .. }
            | Event::SlaBreached { key, .. }
            | Event::SlaResolved { key, .. } => key.node,
            Event::RunSubmitted(_)
            | Event::RunAdmitted
            | Event::RunPaused { .. }
            | Event::RunResumed { .. }
            | Event::RunCancelled { .. }
            | Event::RunSucceeded
            | Event::RunFailed
            | Event::RunReopened { .. }
            | Event::RolledBack { .. }
            | Event::RunPriorityChanged { .. }
            | Event::ChoiceMade { .. } => None,
        }
    }

    /// What an alert is about; `None` for every other event.
    pub fn alert_key(&self) -> Option<AlertKey> {
        match self {
            Event::SlaWarned { key, .. }
            | Event::SlaBreached { key, .. }
            | Event::SlaResolved { key, .. } => Some(*key),
            _ => None,
        }
    }

    fn is_from_our_side(&self, state: &RunState) -> bool {
        match self {
            Event::AttemptFailed { node, failure, .. } | Event::TaskFailed { node, failure } => {
                state.is_from_our_side(*node, failure.class)
            }
            _ => false,
        }
    }
}
