//! One run.

use std::collections::BTreeMap;

use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::run::{RunState, RunStatus};
use orchestrator_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::at::At;
use super::deadline::{DeadlineView, ViolationView};
use super::rollback::RollbackProgressView;
use super::task::TaskView;

/// One run with a page of its tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunView {
    /// The run.
    #[schemars(with = "String")]
    pub id: RunId,
    /// Name of the workflow.
    pub workflow: String,
    /// What the workflow is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// PENDING, TRANSLATING, NEEDS_REVIEW, RUNNING, PAUSED, SUCCESS, FAILED or CANCELLED.
    #[schemars(schema_with = "status_schema")]
    pub status: RunStatus,
    /// Who submitted it.
    pub client_id: String,
    /// 1 to 10, 10 most urgent; absent when nobody set one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Bound inputs.
    pub inputs: Value,
    /// Metadata of the submission.
    pub metadata: Value,
    /// When it was submitted.
    pub submitted_at: At,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_at: Option<At>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<At>,
    /// From submission to the end, or until now.
    pub duration_ms: u64,
    /// Its deadline, while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DeadlineView>,
    /// Missed deadlines of what goes on; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<ViolationView>,
    /// Who cancelled it and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<CancelledView>,
    /// The rollback that has not undone everything yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackProgressView>,
    /// Appends in its journal; where to go on reading events.
    pub seq: u64,
    /// Tasks of the workflow.
    pub tasks_total: u32,
    /// Tasks of the workflow by status.
    pub counts: BTreeMap<String, u32>,
    /// A page of tasks: those of the workflow in document order, then the items of `for_each` tasks and the actions of
    /// rollbacks.
    pub tasks: Vec<TaskView>,
    /// Where the next page begins (`?tasks_after=`); absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_next: Option<u32>,
}

/// Who ended a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Cancelled")]
pub struct CancelledView {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Which tasks of a run to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskPage {
    /// Tasks to pass over.
    pub after: u32,
    /// Tasks to show, at most [`TaskPage::LIMIT_MAX`].
    pub limit: u32,
    /// Whether the items of `for_each` tasks are shown too.
    pub items: bool,
}

impl TaskPage {
    /// Most tasks on a page.
    pub const LIMIT_MAX: u32 = 10_000;
    /// Tasks on a page unless asked otherwise.
    pub const LIMIT_DEFAULT: u32 = 1_000;
}

impl Default for TaskPage {
    fn default() -> TaskPage {
        TaskPage {
            after: 0,
            limit: TaskPage::LIMIT_DEFAULT,
            items: false,
        }
    }
}

impl RunView {
    /// The view of a run that has `seq` appends, at `now`.
    pub fn of(state: &RunState, seq: u64, page: TaskPage, now: Timestamp) -> RunView {
        let tasks_total = state.workflow.tasks.len();
        let nodes_total = if page.items {
            state.nodes().len()
        } else {
            tasks_total
        };
        let first = usize::try_from(page.after).unwrap_or(usize::MAX).min(nodes_total);
        let wanted = (first..nodes_total)
            .map(NodeIx::new)
            .filter(|node| !state.node(*node).retired);
        let mut nodes: Vec<NodeIx> = wanted.take(page.limit as usize + 1).collect();
        let tasks_next = (nodes.len() > page.limit as usize)
            .then(|| nodes.pop())
            .flatten()
            .map(|node| node.0);
        RunView {
            id: state.id(),
            workflow: state.workflow.name.clone(),
            description: state.workflow.description.clone(),
            status: state.status,
            client_id: state.submission.client_id.clone(),
            priority: state.priority,
            inputs: (*state.submission.inputs).clone(),
            metadata: (*state.submission.metadata).clone(),
            submitted_at: At(state.submitted_at),
            admitted_at: state.admitted_at.map(At),
            finished_at: state.finished_at.map(At),
            duration_ms: state.finished_at.unwrap_or(now).millis_since(state.submitted_at),
            deadline: DeadlineView::all(state, None, now).pop(),
            violations: ViolationView::all(state, now),
            cancelled: state.cancelled.as_ref().map(|(by, reason)| CancelledView {
                by: by.clone(),
                reason: reason.clone(),
            }),
            rollback: RollbackProgressView::unfinished(state),
            seq,
            tasks_total: u32::try_from(tasks_total).unwrap_or(u32::MAX),
            counts: counts(state),
            tasks: nodes
                .into_iter()
                .map(|node| TaskView::of(state, node, now))
                .collect(),
            tasks_next,
        }
    }
}

fn counts(state: &RunState) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for node in &state.nodes()[..state.workflow.tasks.len()] {
        *counts.entry(node.status.as_str().to_owned()).or_default() += 1;
    }
    counts
}

pub(super) fn status_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names: Vec<&str> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
    schemars::json_schema!({"type": "string", "enum": names})
}
