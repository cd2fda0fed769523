//! One task of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::{Choice, HoldReason};
use orchestrator_core::run::{Failure, Node, Progress, RunState, SkipReason, TaskStatus};
use orchestrator_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::at::At;
use super::attempts::AttemptView;
use super::checkpoint::CheckpointView;
use super::deadline::DeadlineView;
use super::reuse::CacheView;

/// One task, or one item of a `for_each` task, in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Task")]
pub struct TaskView {
    /// `train`, or `train[3]` for an item of a `for_each` task.
    pub id: String,
    /// PENDING, READY, HELD, QUEUED, RUNNING, RETRY_WAIT, SUCCESS, FAILED, SKIPPED or CANCELLED.
    #[schemars(schema_with = "super::task::status_schema")]
    pub status: TaskStatus,
    /// The agent that does it.
    pub agent: String,
    /// What the agent is asked to do.
    pub action: String,
    /// Direct upstream tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// How often the task was started over, from 1.
    pub epoch: u32,
    /// Attempt within the epoch; 0 before the first.
    pub attempt: u32,
    /// Attempts over all epochs.
    pub attempts_total: u32,
    /// `cpu`, `gpu`, `memory` or `compute`, once chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_class: Option<String>,
    /// 1 to 10, 10 most urgent, once chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// What it waits for while HELD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldView>,
    /// When the next attempt is due, while RETRY_WAIT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<At>,
    /// When the current attempt was queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<At>,
    /// When the current attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<At>,
    /// When the task ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<At>,
    /// Run time of the current or last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The last progress the agent reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
    /// Why it was skipped, for SKIPPED tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The output, for SUCCESS; left out of lists when it is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Size of an output that was left out; ask for the task alone to get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// What became of looking for its result, for tasks whose result may be reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheView>,
    /// The items of an expanded `for_each` task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<ChildrenView>,
}

/// Why a task is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Held")]
pub struct HeldView {
    /// `window`, `pool`, `approval`, `budget`, `policy` or `denied`.
    pub reason: String,
    /// When it is asked about again at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<At>,
    /// Pools that are full.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
    /// In one sentence.
    pub explanation: String,
}

/// Progress of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Progress")]
pub struct ProgressView {
    /// 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// What the agent is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Why an attempt or a task failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskError")]
pub struct ErrorView {
    /// `transient`, `error`, `permanent`, `validation`, `timeout`, `lost`, `denied`, `rejected` or `children`.
    pub class: String,
    /// For people.
    pub message: String,
    /// Exit code of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// The items of a `for_each` task, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Children")]
pub struct ChildrenView {
    /// Number of items.
    pub total: u32,
    /// Items by status.
    pub counts: BTreeMap<String, u32>,
}

/// One task with everything known about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskDetail")]
pub struct TaskDetail {
    /// The run.
    #[schemars(with = "String")]
    pub run_id: orchestrator_core::ids::RunId,
    /// The task as in lists, with its output whatever the size.
    #[serde(flatten)]
    pub task: TaskView,
    /// Parameters, with references resolved as far as they have values.
    pub params: Value,
    /// The item of a `for_each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Value>,
    /// What the agent noted in its last checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Value>,
    /// The checkpoints that are kept, newest first: the next attempt starts from the first one whose files are undamaged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<CheckpointView>,
    /// Deadlines whose clocks run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deadlines: Vec<DeadlineView>,
    /// Every attempt, oldest first, at most the last 100.
    pub attempts: Vec<AttemptView>,
}

/// Outputs larger than this are left out of lists.
pub const OUTPUT_IN_LIST_MAX: usize = 4 * 1024;

impl TaskView {
    /// The view of a node in a list.
    pub fn of(state: &RunState, node: NodeIx, now: Timestamp) -> TaskView {
        let mut view = TaskView::whole(state, node, now);
        let size = view.output.as_ref().map_or(0, size_of);
        if size > OUTPUT_IN_LIST_MAX {
            view.output = None;
            view.output_bytes = Some(size as u64);
        }
        view
    }

    fn whole(state: &RunState, node: NodeIx, now: Timestamp) -> TaskView {
        let entry = state.node(node);
        let task = state.task_of(node);
        let choice = state.choice_of(node);
        let is_child = entry.child_of.is_some();
        let depends_on = task.depends_on.iter().filter(|_| !is_child);
        TaskView {
            id: state.name_of(node),
            status: entry.status,
            agent: task.agent.clone(),
            action: task.action.clone(),
            depends_on: depends_on
                .map(|upstream| state.workflow.task(*upstream).id.clone())
                .collect(),
            epoch: entry.epoch,
            attempt: entry.attempt,
            attempts_total: entry.attempts_total,
            resource_class: choice.map(|choice| choice.overrides.resource_class.as_str().to_owned()),
            priority: choice.map(|choice| choice.overrides.priority),
            held: HeldView::of(state, node),
            retry_at: (entry.status == TaskStatus::RetryWait)
                .then_some(entry.due_at)
                .flatten()
                .map(At),
            queued_at: entry.queued_at.map(At),
            started_at: entry.started_at.map(At),
            finished_at: entry.finished_at.map(At),
            duration_ms: duration_ms(entry, now),
            progress: entry.progress.as_deref().map(ProgressView::of),
            error: entry.failure.as_deref().map(ErrorView::of),
            skipped: entry.skipped.as_ref().map(|reason| skip_text(state, reason)),
            output: entry.output.as_deref().cloned(),
            output_bytes: None,
            cache: CacheView::of(entry),
            children: ChildrenView::of(state, entry),
        }
    }
}

impl TaskDetail {
    /// The detail of a node; `attempts` come from [`super::attempts::Attempts`].
    pub fn of(state: &RunState, node: NodeIx, attempts: Vec<AttemptView>, now: Timestamp) -> TaskDetail {
        let entry = state.node(node);
        let template = &state.task_of(node).params;
        let params = template
            .resolve(&state.scope(node))
            .unwrap_or_else(|_| Arc::clone(template.raw()));
        TaskDetail {
            run_id: state.id(),
            task: TaskView::whole(state, node, now),
            params: (*params).clone(),
            item: state.item_of(node).map(|(item, _)| item.clone()),
            checkpoint: entry.checkpoint.as_deref().map(|last| Value::clone(&last.value)),
            checkpoints: CheckpointView::newest_first(entry.checkpoint.as_deref()),
            deadlines: DeadlineView::all(state, Some(node), now),
            attempts,
        }
    }
}

impl HeldView {
    /// Why the node is held; `None` when it is not.
    pub fn of(state: &RunState, node: NodeIx) -> Option<HeldView> {
        let entry = state.node(node);
        let hold = entry.hold?;
        let said = state.choice_of(node).map_or("", |choice| choice.reason.as_str());
        let pools = entry.full_pools.clone();
        let explanation = match hold {
            HoldReason::Pool => format!("it waits for a free slot of {}", pool_list(&pools)),
            HoldReason::Approval => with_reason("it waits for a person's approval", said),
            HoldReason::Window => with_reason("it waits for the end of a maintenance window", said),
            HoldReason::Budget => with_reason("it waits for budget", said),
            HoldReason::Policy => with_reason("a rule of the policy holds it", said),
            HoldReason::Denied => with_reason("the policy denied it, and on_denied is hold", said),
        };
        Some(HeldView {
            reason: hold_name(hold).to_owned(),
            until: entry.due_at.map(At),
            pools,
            explanation,
        })
    }
}

impl ProgressView {
    /// The view of a progress.
    pub fn of(progress: &Progress) -> ProgressView {
        ProgressView {
            percent: progress.percent,
            message: progress.message.clone(),
        }
    }
}

impl ErrorView {
    /// The view of a failure.
    pub fn of(failure: &Failure) -> ErrorView {
        ErrorView {
            class: failure.class.as_str().to_owned(),
            message: failure.message.clone(),
            exit_code: failure.exit_code,
        }
    }
}

impl ChildrenView {
    fn of(state: &RunState, entry: &Node) -> Option<ChildrenView> {
        let group = entry.group?;
        let mut counts = BTreeMap::new();
        for child in group.children() {
            *counts
                .entry(state.node(child).status.as_str().to_owned())
                .or_default() += 1;
        }
        Some(ChildrenView {
            total: group.count,
            counts,
        })
    }
}

/// The name of a hold reason outside.
pub fn hold_name(hold: HoldReason) -> &'static str {
    match hold {
        HoldReason::Window => "window",
        HoldReason::Pool => "pool",
        HoldReason::Approval => "approval",
        HoldReason::Budget => "budget",
        HoldReason::Policy => "policy",
        HoldReason::Denied => "denied",
    }
}

/// Why a task was skipped, in one sentence.
pub fn skip_text(state: &RunState, reason: &SkipReason) -> String {
    match reason {
        SkipReason::Condition => "its condition (when) is false".to_owned(),
        SkipReason::Upstream { task } => {
            format!(
                "'{}', which it depends on, is {}",
                state.name_of(*task),
                state.node(*task).status
            )
        }
        SkipReason::Denied { choice } => {
            let said = state
                .choices
                .get(*choice as usize)
                .map_or("", |choice: &Arc<Choice>| choice.reason.as_str());
            with_reason("the policy denied it, and on_denied is skip", said)
        }
    }
}

/// `pool 'gpu'`, or `pools 'a' and 'b'`.
pub(super) fn pool_list(pools: &[String]) -> String {
    match pools {
        [] => "a pool".to_owned(),
        [one] => format!("pool '{one}'"),
        many => format!("pools '{}'", many.join("' and '")),
    }
}

fn with_reason(text: &str, reason: &str) -> String {
    match reason {
        "" => text.to_owned(),
        reason => format!("{text}: {reason}"),
    }
}

fn duration_ms(entry: &Node, now: Timestamp) -> Option<u64> {
    let started = entry.started_at?;
    match (entry.finished_at, entry.status) {
        (Some(finished), _) => Some(finished.millis_since(started)),
        (None, TaskStatus::Running) => Some(now.millis_since(started)),
        (None, _) => None,
    }
}

pub(super) fn size_of(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("counting bytes does not fail");
    counter.0
}

pub(super) fn status_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names: Vec<&str> = TaskStatus::ALL.iter().map(|status| status.as_str()).collect();
    schemars::json_schema!({"type": "string", "enum": names})
}
