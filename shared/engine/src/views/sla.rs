//! What is late, what may become late, and how long tasks take.

use std::collections::BTreeMap;

use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::run::{RunState, TaskStatus};
use orchestrator_core::sla::{DeadlineKind, Lateness, Stage};
use orchestrator_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::alert::{AlertType, AlertView};
use super::at::At;
use crate::sla::{Histogram, Stall, StallCause, Tally};

/// The board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Sla")]
pub struct SlaView {
    /// Missed deadlines of what goes on, the oldest first; the first 200.
    pub active: Vec<LateView>,
    /// How many there are.
    pub active_total: u64,
    /// Running tasks that have taken longer than 95 of 100 of their agent and action did, and are still in time.
    pub at_risk: Vec<AtRiskView>,
    /// Runs in which nothing happens, and why.
    pub stalled: Vec<StallView>,
    /// The last deadlines that were missed or came near, the newest first.
    pub recent: Vec<LateView>,
    /// How long tasks take, by agent and action; for operators only.
    pub agents: Vec<AgentView>,
    /// What this host leaves out, if anything, and where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A deadline that was missed, or came near.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Late")]
pub struct LateView {
    /// What was said when it was noticed.
    pub alert: AlertView,
    /// `low`, `medium`, `high` or `critical` by how late it is now, or was in the end; absent when it only came near.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub severity: Option<Lateness>,
    /// How late it is now, or was in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_ms: Option<u64>,
    /// When it came to an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<At>,
}

/// A running task that may become late.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AtRisk")]
pub struct AtRiskView {
    /// The run.
    #[schemars(with = "String")]
    pub run_id: RunId,
    /// The task.
    pub task: String,
    /// Its agent.
    pub agent: String,
    /// Its action.
    pub action: String,
    /// The attempt.
    pub attempt: u32,
    /// How long it has run.
    pub running_ms: u64,
    /// What 95 of 100 did not exceed.
    pub usual_ms: u64,
    /// When its time is over.
    pub deadline: At,
}

/// A run in which nothing happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Stalled")]
pub struct StallView {
    /// The run.
    #[schemars(with = "String")]
    pub run_id: RunId,
    /// Name of its workflow.
    pub workflow: String,
    /// Why.
    pub cause: StallCause,
    /// In one sentence, with what to do about it.
    pub text: String,
    /// Since when.
    pub since: At,
    /// The task that has waited longest for it.
    pub task: String,
    /// How many wait for the same.
    pub tasks: u64,
}

/// How long the tasks of one agent and action take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AgentTimes")]
pub struct AgentView {
    /// The agent.
    pub agent: String,
    /// The action.
    pub action: String,
    /// Attempts that ended after they had started.
    pub attempts: u64,
    /// Share of them that missed no deadline, percent.
    pub within_percent: f64,
    /// Time until they started.
    pub queue: TimesView,
    /// Time they ran.
    pub run: TimesView,
}

/// Percentiles, rounded up by less than a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Times")]
#[expect(missing_docs, reason = "the names say it")]
pub struct TimesView {
    pub p50_ms: u64,
    pub p95_ms: u64,
    pub p99_ms: u64,
}

/// Deadlines in the tally of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SlaStats")]
pub struct SlaStats {
    /// Missed deadlines of what goes on.
    pub active: u64,
    /// Attempts that ended after they had started, of all agents.
    pub attempts: u64,
    /// Those of them that missed no deadline.
    pub within: u64,
}

impl LateView {
    /// The view at `now` of what was noticed; `resolved` and `late_ms` once it has come to an end.
    pub fn of(
        alert: AlertView,
        resolved_at: Option<Timestamp>,
        late_ms: Option<u64>,
        now: Timestamp,
    ) -> LateView {
        let is_breach = alert.kind == AlertType::SlaBreached;
        let late_now = alert.deadline.map(|deadline| now - deadline.0);
        let late_ms = late_ms.or(late_now).filter(|_| is_breach);
        let severity = late_ms
            .zip(alert.limit_ms)
            .map(|(late, max)| Lateness::of(late, max));
        LateView {
            alert,
            severity,
            late_ms,
            resolved_at: resolved_at.map(At),
        }
    }
}

impl AtRiskView {
    /// The view of a running task past the usual run time of its agent and action, and before its deadline; `None` for any
    /// other.
    pub fn of(state: &RunState, node: NodeIx, tally: &Tally, now: Timestamp) -> Option<AtRiskView> {
        let entry = state.node(node);
        let usual_ms = tally.usual_run_ms()?;
        let started_at = entry.started_at.filter(|_| entry.status == TaskStatus::Running)?;
        let running_ms = now - started_at;
        let clocks = state.clocks(Some(node));
        let clock = clocks
            .into_iter()
            .find(|clock| clock.key.kind == DeadlineKind::Task && clock.stage < Stage::Breached)?;
        (running_ms > usual_ms && now <= clock.deadline()).then(|| AtRiskView {
            run_id: state.id(),
            task: state.name_of(node),
            agent: state.task_of(node).agent.clone(),
            action: state.task_of(node).action.clone(),
            attempt: entry.attempt,
            running_ms,
            usual_ms,
            deadline: At(clock.deadline()),
        })
    }
}

impl StallView {
    /// The view of a stalled run.
    pub fn of(state: &RunState, stall: &Stall) -> StallView {
        StallView {
            run_id: state.id(),
            workflow: state.workflow.name.clone(),
            cause: stall.cause,
            text: stall.cause.text().to_owned(),
            since: At(stall.since),
            task: state.name_of(stall.node),
            tasks: stall.tasks as u64,
        }
    }
}

impl AgentView {
    /// The views of all tallies.
    pub fn all(tallies: &BTreeMap<(String, String), Tally>) -> Vec<AgentView> {
        let view = |((agent, action), tally): (&(String, String), &Tally)| AgentView {
            agent: agent.clone(),
            action: action.clone(),
            attempts: tally.attempts,
            within_percent: (tally.within as f64 * 1_000.0 / tally.attempts.max(1) as f64).round() / 10.0,
            queue: TimesView::of(&tally.queue),
            run: TimesView::of(&tally.run),
        };
        tallies.iter().map(view).collect()
    }
}

impl TimesView {
    fn of(histogram: &Histogram) -> TimesView {
        let percentile = |percent| histogram.percentile(percent).unwrap_or(0);
        TimesView {
            p50_ms: percentile(50),
            p95_ms: percentile(95),
            p99_ms: percentile(99),
        }
    }
}
