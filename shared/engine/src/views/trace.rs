//! Where the time of a run went.

use std::collections::BTreeMap;

use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::run::{RunStatus, TaskStatus};
use orchestrator_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use super::task::hold_name;
use crate::trace::history::History;
use crate::trace::{Interval, Outcome, Phase, RunTrace, Sampler};

/// The timeline of a run, from its journal alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Trace")]
pub struct TraceView {
    /// The run.
    #[schemars(with = "String")]
    pub run_id: RunId,
    /// Name of the workflow.
    pub workflow: String,
    /// State of the run.
    #[schemars(schema_with = "super::run::status_schema")]
    pub status: RunStatus,
    /// The trace that its spans belong to, in hexadecimal.
    pub trace_id: String,
    /// When it was submitted.
    pub submitted_at: At,
    /// When it ended, or now.
    pub until: At,
    /// From submission to the end, or until now.
    pub duration_ms: u64,
    /// The tasks that the end had to wait for, first to last: making any other task faster changes nothing.
    pub critical_path: Vec<String>,
    /// What the time of the critical path was spent on, milliseconds by phase; `other` is between its tasks.
    pub critical_ms: BTreeMap<String, u64>,
    /// Tasks of the workflow and items of `for_each` tasks by state.
    pub counts: BTreeMap<String, u32>,
    /// Times of waiting of the run as a whole.
    pub waits: Vec<PhaseView>,
    /// A page of tasks in the order in which they began; tasks that have not begun are left out.
    pub tasks: Vec<TaskTraceView>,
    /// Tasks that have begun.
    pub tasks_total: u32,
}

/// The time of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskTrace")]
pub struct TaskTraceView {
    /// `train`, or `train[3]` for an item of a `for_each` task.
    pub id: String,
    /// Its state.
    #[schemars(schema_with = "super::task::status_schema")]
    pub status: TaskStatus,
    /// Whether the end of the run had to wait for it.
    pub is_critical: bool,
    /// Attempts over all epochs.
    pub attempts: u32,
    /// Whether its result was kept from another execution, so that no attempt was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cached: bool,
    /// When nothing upstream was open any more.
    pub start: At,
    /// When it ended, or now.
    pub end: At,
    /// What it did meanwhile, in order; times of less than a millisecond are left out.
    pub phases: Vec<PhaseView>,
}

/// A stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Phase")]
pub struct PhaseView {
    /// `admission`, `paused`, `decision`, `held`, `queued`, `running`, `retry wait`.
    pub phase: String,
    /// When it began.
    pub start: At,
    /// When it ended, or now.
    pub end: At,
    /// How an attempt ended: `success`, `failed`, `cancelled`, `reset`; absent while it goes on, and for waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Epoch and attempt, for attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<(u32, u32)>,
    /// What was waited for, or why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl TraceView {
    /// Most tasks in one answer.
    pub const TASKS_MAX: usize = 10_000;

    /// The view of a history at `now`, with at most `limit` tasks; items of `for_each` tasks only if asked for.
    pub fn of(history: &History, now: Timestamp, items: bool, limit: usize) -> TraceView {
        let state = &history.state;
        let until = state.finished_at.unwrap_or(now.max(history.last));
        let mut rows = Rows::default();
        let open = history.open(until);
        for interval in history.ended.iter().chain(&open) {
            rows.add(interval);
        }
        let path = rows.critical_path(history);
        let mut counts = BTreeMap::new();
        for node in state.nodes().iter().filter(|node| !node.retired) {
            *counts.entry(node.status.as_str().to_owned()).or_default() += 1;
        }
        let is_shown = |node: &NodeIx| items || state.node(*node).child_of.is_none();
        let mut begun: Vec<(NodeIx, &Row)> = rows
            .tasks
            .iter()
            .filter(|(node, _)| is_shown(node))
            .map(|(node, row)| (*node, row))
            .collect();
        begun.sort_by_key(|(node, row)| (row.start, *node));
        let task = |(node, row): &(NodeIx, &Row)| TaskTraceView {
            id: state.name_of(*node),
            status: state.node(*node).status,
            is_critical: path.contains(node),
            attempts: state.node(*node).attempts_total,
            is_cached: state.node(*node).reused().is_some(),
            start: At(row.start),
            end: At(row.end),
            phases: row.phases.clone(),
        };
        TraceView {
            run_id: state.id(),
            workflow: state.workflow.name.clone(),
            status: state.status,
            trace_id: RunTrace::of(state, &Sampler::default()).trace_id().to_string(),
            submitted_at: At(state.submitted_at),
            until: At(until),
            duration_ms: until.millis_since(state.submitted_at),
            critical_ms: rows.spent(&path, until.millis_since(state.submitted_at)),
            critical_path: path.iter().map(|node| state.name_of(*node)).collect(),
            counts,
            waits: rows.waits.clone(),
            tasks_total: u32::try_from(begun.len()).unwrap_or(u32::MAX),
            tasks: begun.iter().take(limit).map(task).collect(),
        }
    }
}

/// Phases by task.
#[derive(Default)]
struct Rows {
    waits: Vec<PhaseView>,
    tasks: BTreeMap<NodeIx, Row>,
}

struct Row {
    start: Timestamp,
    end: Timestamp,
    phases: Vec<PhaseView>,
}

impl Rows {
    fn add(&mut self, interval: &Interval) {
        let Some(place) = &interval.place else {
            if interval.phase != Phase::Run {
                self.waits.push(view(interval, interval.phase.as_str()));
            }
            return;
        };
        let row = self.tasks.entry(place.node).or_insert_with(|| Row {
            start: interval.start,
            end: interval.end,
            phases: Vec::new(),
        });
        row.start = row.start.min(interval.start);
        row.end = row.end.max(interval.end);
        match interval.phase {
            Phase::Task => {}
            Phase::Attempt => {
                // Its time in the queue is a phase of its own.
                if let Some(started_at) = interval.started_at {
                    let mut running = view(interval, "running");
                    running.start = At(started_at);
                    row.phases.push(running);
                }
            }
            phase => row.phases.push(view(interval, phase.as_str())),
        }
    }

    /// From the task that ended last back along whichever upstream task ended last.
    fn critical_path(&self, history: &History) -> Vec<NodeIx> {
        let workflow = &history.state.workflow;
        let ended = |node: &NodeIx| self.tasks.get(node).map(|row| (row.end, *node));
        let all = (0..workflow.tasks.len()).map(NodeIx::new);
        let mut path = Vec::new();
        let mut next = all.filter_map(|node| ended(&node)).max();
        while let Some((_, node)) = next {
            path.push(node);
            next = workflow.task(node).depends_on.iter().filter_map(ended).max();
        }
        path.reverse();
        path
    }

    /// What the time along a path was spent on. Items of a `for_each` task run beside each other: its own time counts.
    fn spent(&self, path: &[NodeIx], whole: u64) -> BTreeMap<String, u64> {
        let mut spent: BTreeMap<String, u64> = BTreeMap::new();
        for row in path.iter().filter_map(|node| self.tasks.get(node)) {
            for phase in &row.phases {
                *spent.entry(phase.phase.clone()).or_default() += phase.end.millis_since(phase.start);
            }
            if row.phases.is_empty() {
                *spent.entry("items".to_owned()).or_default() += row.end.millis_since(row.start);
            }
        }
        for wait in &self.waits {
            *spent.entry(wait.phase.clone()).or_default() += wait.end.millis_since(wait.start);
        }
        let known: u64 = spent.values().sum();
        spent.insert("other".to_owned(), whole.saturating_sub(known));
        spent.retain(|_, millis| *millis > 0);
        spent
    }
}

fn view(interval: &Interval, phase: &str) -> PhaseView {
    let (outcome, failure) = match &interval.outcome {
        Outcome::Success | Outcome::Reused(_) => (Some("success"), None),
        Outcome::Failed(failure) => (
            Some("failed"),
            failure.as_ref().map(|failure| failure.message.clone()),
        ),
        Outcome::Cancelled => (Some("cancelled"), None),
        Outcome::Reset => (Some("reset"), None),
        Outcome::Skipped(_) | Outcome::Over | Outcome::Open => (None, None),
    };
    let held = match interval.phase {
        Phase::Held(reason) => Some(hold_name(reason).to_owned()),
        _ => None,
    };
    let place = interval.place.filter(|_| interval.phase == Phase::Attempt);
    PhaseView {
        phase: phase.to_owned(),
        start: At(interval.start),
        end: At(interval.end),
        outcome: outcome.map(str::to_owned),
        attempt: place.map(|place| (place.epoch, place.attempt)),
        reason: held.or(failure),
    }
}
