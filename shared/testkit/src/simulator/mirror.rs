//! One run as its journal tells it, and what must hold of each next event.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::ids::{AttemptKey, NodeIx};
use orchestrator_core::policy::{PoolDemand, Verdict};
use orchestrator_core::run::{Event, FailureClass, RunState, RunStatus, TaskStatus};
use orchestrator_core::time::Timestamp;

use super::deadlines::Deadlines;
use super::rollbacks::Applied;

/// A run folded from its journal.
#[derive(Debug)]
pub(super) struct Mirror {
    pub state: RunState,
    pub seq: u64,
    /// Successes recorded so far, by node and epoch.
    successes: BTreeSet<(NodeIx, u32)>,
    /// Attempts whose worker disappeared, by node and epoch; they are no retries.
    losses: BTreeMap<(NodeIx, u32), u32>,
    /// An operator started it again, which needs no place.
    pub was_reopened: bool,
    /// A rollback whose append is being read.
    pub applied: Option<Applied>,
    deadlines: Deadlines,
}

impl Mirror {
    /// A run that has just been submitted, before its first append is complete.
    pub fn new(state: RunState) -> Mirror {
        Mirror {
            state,
            seq: 0,
            successes: BTreeSet::new(),
            losses: BTreeMap::new(),
            was_reopened: false,
            applied: None,
            deadlines: Deadlines::default(),
        }
    }

    /// What must hold of one event, given everything before it.
    ///
    /// # Errors
    /// With the rule it breaks.
    pub fn check(
        &mut self,
        event: &Event,
        at: Timestamp,
        succeeded: &BTreeSet<AttemptKey>,
    ) -> Result<(), String> {
        let state = &self.state;
        let judged = self.deadlines.check(state, event, at);
        judged.map_err(|what| format!("SLA-1 broken by {event:?}: {what}"))?;
        let breaks = |rule: &str| Err(format!("{rule} broken by {event:?}"));
        if state.status.is_terminal()
            && !matches!(
                event,
                Event::RunReopened { .. }
                    | Event::RolledBack { .. }
                    | Event::ReportRefused { .. }
                    | Event::SlaResolved { .. }
            )
        {
            return breaks("ENDED");
        }
        let moves = matches!(
            event,
            Event::TaskReady { .. }
                | Event::TaskExpanded { .. }
                | Event::TaskQueued { .. }
                | Event::TaskReused { .. }
                | Event::TaskSkipped { .. }
        );
        if moves && event.node().is_some_and(|node| state.waits_for_rollback(node)) {
            return breaks("RB-1 (not everything is undone)");
        }
        match event {
            Event::RunReopened { .. } => self.was_reopened = true,
            Event::TaskSucceeded { node, .. } => {
                let key = state.attempt_of(*node);
                if !state.is_live_attempt(key) || !succeeded.contains(&key) {
                    return breaks("ONCE (no agent succeeded at the live attempt)");
                }
                if !self.successes.insert((*node, key.epoch)) {
                    return breaks("ONCE");
                }
            }
            Event::TaskQueued {
                node,
                attempt,
                choice,
                ..
            } => {
                let allows = state
                    .choices
                    .get(*choice as usize)
                    .is_some_and(|choice| choice.verdict == Verdict::Allow);
                if !allows || *attempt != state.node(*node).attempt + 1 || state.is_live(*node) {
                    return breaks("RUN-2, RUN-4");
                }
                if state.status != RunStatus::Running {
                    return breaks("PAUSED");
                }
            }
            Event::TaskReused { node, choice, .. } => {
                let chosen = state.choices.get(*choice as usize);
                let allows = chosen.is_some_and(|choice| choice.verdict == Verdict::Allow);
                let entry = state.node(*node);
                let waits = matches!(entry.status, TaskStatus::Ready | TaskStatus::Held);
                if !allows || !waits || state.status != RunStatus::Running {
                    return breaks("CACHE-1 (it was not allowed)");
                }
                if !self.successes.insert((*node, entry.epoch)) {
                    return breaks("ONCE");
                }
            }
            Event::TaskReady { node } => {
                let entry = state.node(*node);
                let early = entry.due_at.is_some_and(|due| at < due);
                if entry.status == TaskStatus::RetryWait && (early || entry.due_at.is_none()) {
                    return breaks("RETRY (before it was due)");
                }
                if entry.status == TaskStatus::Held && early {
                    return breaks("HOLD (before it was over)");
                }
            }
            Event::AttemptFailed {
                node,
                failure,
                retry_at,
            } => {
                let entry = state.node(*node);
                let is_lost = failure.class == FailureClass::Lost;
                let losses = self.losses.get(&(*node, entry.epoch)).copied().unwrap_or(0);
                let rule = state.choice_of(*node).map(|choice| &choice.retry);
                let allowed = rule.is_some_and(|rule| {
                    let in_bounds = *retry_at >= at && *retry_at <= at + rule.backoff_max_ms;
                    rule.auto && (is_lost || entry.attempt - losses <= rule.max_retries) && in_bounds
                });
                if !allowed || !failure.class.is_retryable() || !state.is_live(*node) {
                    return breaks("RETRY");
                }
                *self.losses.entry((*node, entry.epoch)).or_default() += u32::from(is_lost);
            }
            _ => {}
        }
        Ok(())
    }
}

/// What the live attempts of a run hold.
pub(super) fn live_demands(state: &RunState) -> impl Iterator<Item = (AttemptKey, &[PoolDemand])> {
    let demands = |key: AttemptKey| {
        let choice = state.choice_of(key.node)?;
        (!choice.pools.is_empty()).then_some((key, choice.pools.as_slice()))
    };
    state.live().filter_map(demands)
}
