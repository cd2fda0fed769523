//! Numbers about what this process has done, counted from the events it appended.
//!
//! Counting is always on: it costs a few additions per append. [`Metrics`] counts, [`Snapshot`] is what `GET /stats` shows, and
//! [`prometheus`] writes it for scrapers, [`otlp`] for collectors. Every name and label comes from a bounded set.

mod flat;
mod histogram;
pub mod otlp;
pub mod prometheus;
pub mod series;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{Event, RunState, SkipReason};
use orchestrator_core::time::Timestamp;

use crate::views::AlertType;

pub use flat::Flat;
pub use histogram::Histogram;
pub use snapshot::{AlertStats, DecisionStats, Durations, JournalStats, RunStats, Snapshot, TaskStats};

/// Names of rules that are counted; those of further ones are counted together.
const RULES_MAX: usize = 256;
/// Rules beyond [`RULES_MAX`].
const OTHER_RULES: &str = "(other)";

/// Counts.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counts>);

/// What is counted. Everything only grows, but for the time of the last sweep.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    pub(crate) runs: BTreeMap<String, u64>,
    pub(crate) tasks: BTreeMap<String, u64>,
    pub(crate) attempts: u64,
    pub(crate) failures: BTreeMap<String, u64>,
    pub(crate) retries: u64,
    pub(crate) refused_reports: u64,
    pub(crate) result_lookups: BTreeMap<String, u64>,
    pub(crate) decisions: BTreeMap<String, u64>,
    pub(crate) holds: BTreeMap<String, u64>,
    pub(crate) rules: BTreeMap<String, u64>,
    pub(crate) alerts: BTreeMap<String, u64>,
    pub(crate) breaches: BTreeMap<String, u64>,
    pub(crate) queue_time: Histogram,
    pub(crate) run_time: Histogram,
    pub(crate) workflow_time: Histogram,
    pub(crate) appends: u64,
    pub(crate) events: u64,
    pub(crate) conflicts: u64,
    pub(crate) failed_turns: u64,
    pub(crate) sweeps: u64,
    pub(crate) swept_runs: u64,
    pub(crate) sweep_lag_ms: u64,
}

impl Metrics {
    /// Counts what an append has brought. `state` is the run after it.
    pub(crate) fn appended(&self, events: &[Event], state: &RunState, at: Timestamp) {
        let mut counts = self.lock();
        counts.appends += 1;
        counts.events += events.len() as u64;
        for event in events {
            counts.see(event, state, at);
        }
    }

    /// Counts a turn that lost its race.
    pub(crate) fn conflicted(&self) {
        self.lock().conflicts += 1;
    }

    /// Counts a turn that failed.
    pub(crate) fn failed(&self) {
        self.lock().failed_turns += 1;
    }

    /// Notes what a sweep found.
    pub(crate) fn swept(&self, runs: usize, lag_ms: u64) {
        let mut counts = self.lock();
        counts.sweeps += 1;
        counts.swept_runs += runs as u64;
        counts.sweep_lag_ms = lag_ms;
    }

    /// The numbers so far.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.lock())
    }

    /// The counts since the last call, for hosts that pass them on and forget them.
    pub fn drain(&self) -> Counts {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn see(&mut self, event: &Event, state: &RunState, at: Timestamp) {
        match event {
            Event::RunSubmitted(_) => count(&mut self.runs, "SUBMITTED"),
            Event::RunSucceeded => self.run_ended("SUCCESS", state, at),
            Event::RunFailed => self.run_ended("FAILED", state, at),
            Event::RunCancelled { .. } => self.run_ended("CANCELLED", state, at),
            Event::RunReopened { .. } => count(&mut self.runs, "REOPENED"),
            Event::TaskQueued { choice, lookup, .. } => {
                self.attempts += 1;
                self.decided("allow", *choice, state);
                if let Some(lookup) = lookup {
                    count(&mut self.result_lookups, lookup.found.as_str());
                }
            }
            Event::TaskReused { choice, lookup, .. } => {
                count(&mut self.tasks, "SUCCESS");
                count(&mut self.result_lookups, lookup.found.as_str());
                self.decided("allow", *choice, state);
            }
            Event::TaskHeld { choice, hold, .. } => {
                count(&mut self.holds, crate::views::task::hold_name(*hold));
                self.decided("hold", *choice, state);
            }
            Event::TaskSucceeded { node, .. } => {
                count(&mut self.tasks, "SUCCESS");
                self.attempt_ended(*node, state, at);
            }
            Event::GroupSucceeded { .. } => count(&mut self.tasks, "SUCCESS"),
            Event::AttemptFailed { node, failure, .. } => {
                self.retries += 1;
                count(&mut self.failures, failure.class.as_str());
                self.attempt_ended(*node, state, at);
            }
            Event::TaskFailed { node, failure } => {
                count(&mut self.tasks, "FAILED");
                count(&mut self.failures, failure.class.as_str());
                self.attempt_ended(*node, state, at);
            }
            Event::TaskSkipped { reason, .. } => {
                count(&mut self.tasks, "SKIPPED");
                if let SkipReason::Denied { choice } = reason {
                    self.decided("deny", *choice, state);
                }
            }
            Event::TaskCancelled { .. } => count(&mut self.tasks, "CANCELLED"),
            Event::ReportRefused { .. } => self.refused_reports += 1,
            _ => self.see_alert(event),
        }
    }

    fn see_alert(&mut self, event: &Event) {
        let Some((kind, key)) = AlertType::of(event).zip(event.alert_key()) else {
            return;
        };
        count(&mut self.alerts, kind.as_str());
        if kind == AlertType::SlaBreached {
            count(&mut self.breaches, key.kind.as_str());
        }
    }

    fn run_ended(&mut self, status: &'static str, state: &RunState, at: Timestamp) {
        count(&mut self.runs, status);
        self.workflow_time.record(at.millis_since(state.submitted_at));
    }

    fn decided(&mut self, outcome: &'static str, choice: u32, state: &RunState) {
        count(&mut self.decisions, outcome);
        let choice = state.choices.get(choice as usize);
        for rule in choice.iter().flat_map(|choice| &choice.matched) {
            let is_known = self.rules.contains_key(rule) || self.rules.len() < RULES_MAX;
            let name = if is_known { rule } else { OTHER_RULES };
            count(&mut self.rules, name);
        }
    }

    /// An attempt that began has a time in the queue and a time at work.
    fn attempt_ended(&mut self, node: NodeIx, state: &RunState, at: Timestamp) {
        let Some(node) = state.get(node) else { return };
        if let (Some(queued_at), Some(started_at)) = (node.queued_at, node.started_at) {
            self.queue_time.record(started_at.millis_since(queued_at));
            self.run_time.record(at.millis_since(started_at));
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}
