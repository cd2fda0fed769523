//! SLA-1 as the journals tell it: one warning and one breach for each key, ever; no alert before its time; none missed.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{Event, RunState, TaskStatus};
use orchestrator_core::sla::{AlertKey, DeadlineKind};
use orchestrator_core::time::Timestamp;

/// The alerts of one run, and what is needed to judge them.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    warned: BTreeSet<AlertKey>,
    breached: BTreeSet<AlertKey>,
    resolved: BTreeSet<AlertKey>,
    /// When the live attempt of a task was last heard of.
    heard: BTreeMap<NodeIx, Timestamp>,
}

impl Deadlines {
    /// What must hold of an event, given the state before it.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn check(&mut self, state: &RunState, event: &Event, at: Timestamp) -> Result<(), String> {
        match event {
            Event::SlaWarned {
                key,
                max_ms,
                deadline,
            } => {
                self.check_time(state, key, *max_ms, *deadline)?;
                let begun = Timestamp(deadline.0.saturating_sub_unsigned(*max_ms));
                let is_early =
                    u128::from(at - begun) * 100 < u128::from(*max_ms) * u128::from(percent(state, key));
                if is_early || self.breached.contains(key) || !self.warned.insert(*key) {
                    return Err("a warning again, after the breach, or too early".to_owned());
                }
            }
            Event::SlaBreached {
                key,
                max_ms,
                deadline,
                ..
            } => {
                self.check_time(state, key, *max_ms, *deadline)?;
                let starts_in_one = key.kind == DeadlineKind::Queue && at <= *deadline;
                if at <= *deadline && !starts_in_one || !self.breached.insert(*key) {
                    return Err("a breach again, or before the deadline".to_owned());
                }
            }
            Event::SlaResolved { key, .. } if !self.breached.contains(key) || !self.resolved.insert(*key) => {
                return Err("resolved again, or without a breach".to_owned());
            }
            Event::TaskStarted { node }
            | Event::TaskProgressed { node, .. }
            | Event::TaskCheckpointed { node, .. }
            | Event::TaskFilesSaved { node, .. } => {
                if state.node(*node).status == TaskStatus::Running {
                    self.check_silence(state, *node, at)?;
                }
                self.heard.insert(*node, at);
            }
            Event::TaskSucceeded { node, .. }
            | Event::AttemptFailed { node, .. }
            | Event::TaskFailed { node, .. }
            | Event::TaskCancelled { node }
            | Event::TaskReset { node } => {
                self.check_run_time(state, *node, at)?;
                self.check_silence(state, *node, at)?;
                self.heard.remove(node);
            }
            _ => {}
        }
        Ok(())
    }

    /// A deadline is where the journal says it is.
    fn check_time(
        &self,
        state: &RunState,
        key: &AlertKey,
        max_ms: u64,
        deadline: Timestamp,
    ) -> Result<(), String> {
        let Some(node) = key.node else { return Ok(()) };
        let entry = state.node(node);
        let begun = match key.kind {
            DeadlineKind::Task => entry.started_at,
            DeadlineKind::Heartbeat => self.heard.get(&node).copied(),
            _ => return Ok(()),
        };
        // An attempt whose start and end come in one is not running yet.
        match begun.filter(|_| entry.status == TaskStatus::Running) {
            Some(begun) if begun + max_ms != deadline => Err(format!("the deadline is {}", begun + max_ms)),
            _ => Ok(()),
        }
    }

    /// Whoever ran too long was said to.
    fn check_run_time(&self, state: &RunState, node: NodeIx, at: Timestamp) -> Result<(), String> {
        let started_at = state.node(node).started_at;
        self.check_said(state, node, DeadlineKind::Task, started_at, at)
    }

    fn check_silence(&self, state: &RunState, node: NodeIx, at: Timestamp) -> Result<(), String> {
        let heard = self.heard.get(&node).copied();
        self.check_said(state, node, DeadlineKind::Heartbeat, heard, at)
    }

    fn check_said(
        &self,
        state: &RunState,
        node: NodeIx,
        kind: DeadlineKind,
        since: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<(), String> {
        let entry = state.node(node);
        let Some(since) = since.filter(|_| entry.status == TaskStatus::Running && entry.group.is_none())
        else {
            return Ok(());
        };
        let key = AlertKey {
            node: Some(node),
            epoch: entry.epoch,
            attempt: entry.attempt,
            kind,
        };
        match state.limits_of(node).get(kind) {
            Some(limit) if at > since + limit.max_ms && !self.breached.contains(&key) => {
                Err(format!("nobody said that {key:?} missed its deadline"))
            }
            _ => Ok(()),
        }
    }
}

fn percent(state: &RunState, key: &AlertKey) -> u8 {
    match key.node {
        Some(node) => state.limits_of(node).warn_percent,
        None => state.run_limits().warn_percent,
    }
}
