//! The history of a run, event by event.

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::Choice;
use orchestrator_core::run::{Event, RunState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::at::At;
use super::checkpoint;
use super::replay::Step;
use super::reuse::{self, CacheView};
use super::rollback;
use super::task::{ErrorView, OUTPUT_IN_LIST_MAX, ProgressView, hold_name, pool_list, size_of, skip_text};

/// One event as a named object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView {
    /// Its append in the journal, from 1. What happened together has the same number.
    pub seq: u64,
    /// Its place within the append, from 0.
    pub index: u32,
    /// When it happened.
    pub at: At,
    /// `RUN_SUBMITTED`, `TASK_QUEUED`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// The task it is about; absent for events of the run as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// State of the task (or of the run, when no task is named) after the event.
    pub status: String,
    /// In one sentence, for people.
    pub text: String,
    /// What the event carries besides.
    #[serde(flatten)]
    pub data: Map<String, Value>,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// The events, oldest first. A page ends where an append ends.
    pub events: Vec<EventView>,
    /// Pass it as `?after=` to go on from here.
    pub next_after: u64,
    /// Whether there are more events already.
    pub has_more: bool,
    /// State of the run now.
    #[schemars(schema_with = "super::run::status_schema")]
    pub status: orchestrator_core::run::RunStatus,
}

impl EventView {
    /// The view of an event in its place.
    pub fn of(step: Step<'_>) -> EventView {
        let Step {
            seq,
            index,
            at,
            event,
            state,
        } = step;
        let (text, data) = describe(event, state);
        let node = event.node();
        EventView {
            seq,
            index: u32::try_from(index).unwrap_or(u32::MAX),
            at: At(at),
            kind: name(event).to_owned(),
            task: node.map(|node| state.name_of(node)),
            status: match node.and_then(|node| state.get(node)) {
                Some(entry) => entry.status.as_str().to_owned(),
                None => state.status.as_str().to_owned(),
            },
            text,
            data: match data {
                Value::Object(data) => data,
                _ => Map::new(),
            },
        }
    }
}

/// The name of an event outside.
pub fn name(event: &Event) -> &'static str {
    match event {
        Event::RunSubmitted(_) => "RUN_SUBMITTED",
        Event::RunAdmitted => "RUN_ADMITTED",
        Event::RunPaused { .. } => "RUN_PAUSED",
        Event::RunResumed { .. } => "RUN_RESUMED",
        Event::RunCancelled { .. } => "RUN_CANCELLED",
        Event::RunSucceeded => "RUN_SUCCEEDED",
        Event::RunFailed => "RUN_FAILED",
        Event::RunReopened { .. } => "RUN_REOPENED",
        Event::RunPriorityChanged { .. } => "RUN_PRIORITY_CHANGED",
        Event::ChoiceMade { .. } => "CHOICE_MADE",
        Event::TaskReady { .. } => "TASK_READY",
        Event::TaskExpanded { .. } => "TASK_EXPANDED",
        Event::TaskQueued { .. } => "TASK_QUEUED",
        Event::TaskReused { .. } => "TASK_REUSED",
        Event::TaskHeld { .. } => "TASK_HELD",
        Event::TaskApproved { .. } => "TASK_APPROVED",
        Event::TaskStarted { .. } => "TASK_STARTED",
        Event::TaskProgressed { .. } => "TASK_PROGRESSED",
        Event::TaskCheckpointed { .. } | Event::TaskFilesSaved { .. } => "TASK_CHECKPOINTED",
        Event::CheckpointRejected { .. } => "CHECKPOINT_REJECTED",
        Event::TaskSucceeded { .. } => "TASK_SUCCEEDED",
        Event::GroupSucceeded { .. } => "GROUP_SUCCEEDED",
        Event::AttemptFailed { .. } => "ATTEMPT_FAILED",
        Event::TaskFailed { .. } => "TASK_FAILED",
        Event::TaskSkipped { .. } => "TASK_SKIPPED",
        Event::TaskCancelled { .. } => "TASK_CANCELLED",
        Event::TaskReset { .. } => "TASK_RESET",
        Event::GroupReopened { .. } => "GROUP_REOPENED",
        Event::ReportRefused { .. } => "REPORT_REFUSED",
        Event::RolledBack { .. } => "RUN_ROLLED_BACK",
        Event::CompensationPlanned { .. } => "COMPENSATION_PLANNED",
        Event::RollbackStopped { .. } => "ROLLBACK_STOPPED",
        Event::SlaWarned { .. } => "SLA_WARNED",
        Event::SlaBreached { .. } => "SLA_BREACHED",
        Event::SlaResolved { .. } => "SLA_RESOLVED",
        Event::CompensationWaived { .. } => "COMPENSATION_WAIVED",
    }
}

fn describe(event: &Event, state: &RunState) -> (String, Value) {
    match event {
        Event::RunSubmitted(submission) => (
            format!(
                "submitted by '{}': {} tasks",
                submission.client_id,
                state.workflow.tasks.len()
            ),
            json!({
                "workflow": state.workflow.name,
                "client_id": submission.client_id,
                "inputs": *submission.inputs,
                "metadata": *submission.metadata,
                "priority": submission.priority,
            }),
        ),
        Event::RunAdmitted => ("the run begins".to_owned(), Value::Null),
        Event::RunPaused { by } => (format!("paused by '{by}'"), json!({"by": by})),
        Event::RunResumed { by } => (format!("resumed by '{by}'"), json!({"by": by})),
        Event::RunCancelled { by, reason } => (
            format!("cancelled by '{by}': {reason}"),
            json!({"by": by, "reason": reason}),
        ),
        Event::RunSucceeded => ("every task ended, none badly".to_owned(), Value::Null),
        Event::RunFailed => {
            let (failed, cancelled) = (state.failed(), state.cancelled_tasks());
            let text = match cancelled {
                0 => format!("{} failed", tasks(failed)),
                _ => format!("{} failed, {} cancelled", tasks(failed), tasks(cancelled)),
            };
            (text, json!({"failed": failed, "cancelled": cancelled}))
        }
        Event::RunReopened { by, reason } => (
            format!("started again by '{by}': {reason}"),
            json!({"by": by, "reason": reason}),
        ),
        Event::RunPriorityChanged { by, priority } => (
            format!("priority set to {priority} by '{by}'"),
            json!({"by": by, "priority": priority}),
        ),
        Event::RolledBack { rollback } => rollback::describe(state, rollback),
        Event::ChoiceMade { choice } => choice_made(choice, state.choices.len() - 1),
        Event::SlaWarned { .. } | Event::SlaBreached { .. } | Event::SlaResolved { .. } => {
            super::alert::describe(event)
        }
        _ => describe_task(event, state),
    }
}

fn choice_made(choice: &Choice, index: usize) -> (String, Value) {
    let chosen = serde_json::to_value(choice).expect("a choice is plain data with text keys");
    (choice.reason.clone(), json!({"choice": index, "chosen": chosen}))
}

fn describe_task(event: &Event, state: &RunState) -> (String, Value) {
    match event {
        Event::TaskReady { .. } => (
            "nothing upstream is open: the policy is asked".to_owned(),
            Value::Null,
        ),
        Event::TaskExpanded { items, .. } => {
            (format!("{} items", items.len()), json!({"items": items.len()}))
        }
        Event::TaskQueued {
            node,
            attempt,
            choice,
            usage,
            lookup,
        } => {
            let chosen = &state.choices[*choice as usize];
            let overrides = &chosen.overrides;
            let class = overrides.resource_class.as_str();
            let text = format!(
                "attempt {attempt} on {class}, priority {}, {} GB",
                overrides.priority, overrides.memory_gb
            );
            let mut data = json!({
                "epoch": state.node(*node).epoch,
                "attempt": attempt,
                "choice": choice,
                "resource_class": class,
                "priority": overrides.priority,
                "usage": usage,
            });
            let Some(lookup) = lookup else { return (text, data) };
            data["cache"] = json!(CacheView::of_lookup(lookup));
            (format!("{text}; {}", reuse::text(lookup)), data)
        }
        Event::TaskReused {
            choice,
            lookup,
            output,
            ..
        } => {
            let (_, mut data) = succeeded(output.as_deref());
            data["choice"] = json!(choice);
            data["cache"] = json!(CacheView::of_lookup(lookup));
            (reuse::text(lookup), data)
        }
        Event::TaskHeld {
            choice,
            hold,
            until,
            full,
            ..
        } => {
            let reason = hold_name(*hold);
            let said = &state.choices[*choice as usize].reason;
            let text = match full.as_slice() {
                [] => format!("{reason}: {said}"),
                full => format!("waits for a slot of {}", pool_list(full)),
            };
            (
                text,
                json!({"choice": choice, "reason": reason, "until": until.map(At), "pools": full}),
            )
        }
        Event::TaskApproved { by, .. } => (format!("approved by '{by}'"), json!({"by": by})),
        Event::TaskStarted { node } => ("the agent began".to_owned(), attempt(state, *node)),
        Event::TaskProgressed { progress, .. } => {
            let percent = progress.percent.map(|percent| format!("{percent:.0} %"));
            let words: Vec<String> = percent.into_iter().chain(progress.message.clone()).collect();
            (words.join(" "), json!({"progress": ProgressView::of(progress)}))
        }
        Event::TaskCheckpointed { checkpoint, .. } => (
            "the agent saved a checkpoint".to_owned(),
            json!({"checkpoint": **checkpoint}),
        ),
        Event::TaskFilesSaved { saved, .. } => checkpoint::saved(saved),
        Event::CheckpointRejected { rejected, .. } => checkpoint::rejected(rejected),
        Event::TaskSucceeded { output, .. } => succeeded(output.as_deref()),
        Event::GroupSucceeded { .. } => ("every item ended well".to_owned(), Value::Null),
        Event::AttemptFailed {
            failure, retry_at, ..
        } => (
            format!("{}; the next attempt is due at {retry_at}", failure.message),
            json!({"error": ErrorView::of(failure), "retry_at": At(*retry_at)}),
        ),
        Event::TaskFailed { failure, .. } => {
            (failure.message.clone(), json!({"error": ErrorView::of(failure)}))
        }
        Event::TaskSkipped { reason, .. } => (skip_text(state, reason), Value::Null),
        Event::TaskCancelled { .. } => ("cancelled".to_owned(), Value::Null),
        Event::TaskReset { node } => {
            let epoch = state.node(*node).epoch;
            (format!("starts over, epoch {epoch}"), json!({"epoch": epoch}))
        }
        Event::GroupReopened { .. } => ("goes on with items that start over".to_owned(), Value::Null),
        Event::ReportRefused {
            epoch, attempt, kind, ..
        } => (
            format!("{kind} from epoch {epoch}, attempt {attempt} was refused: it is not the live attempt"),
            json!({"epoch": epoch, "attempt": attempt, "report": kind}),
        ),
        Event::CompensationPlanned { of, params } => {
            let action = rollback::action_for(state, *of).unwrap_or_default();
            (
                format!("'{action}' undoes it before it is done again"),
                json!({"action": action, "params": **params}),
            )
        }
        Event::CompensationWaived { by, .. } => (format!("'{by}' takes it as undone"), json!({"by": by})),
        Event::RollbackStopped { node } => {
            let failure = state.node(*node).failure.as_deref();
            (
                "the rollback stops here and the run is paused; 'resume' tries it again".to_owned(),
                json!({"error": failure.map(ErrorView::of)}),
            )
        }
        _ => (String::new(), Value::Null),
    }
}

fn succeeded(output: Option<&Value>) -> (String, Value) {
    let Some(output) = output else {
        return ("done, without output".to_owned(), Value::Null);
    };
    let bytes = size_of(output);
    match bytes <= OUTPUT_IN_LIST_MAX {
        true => ("done".to_owned(), json!({"output": output})),
        false => (
            format!("done, {bytes} bytes of output"),
            json!({"output_bytes": bytes}),
        ),
    }
}

fn attempt(state: &RunState, node: NodeIx) -> Value {
    let entry = state.node(node);
    json!({"epoch": entry.epoch, "attempt": entry.attempt})
}

fn tasks(count: u32) -> String {
    match count {
        1 => "1 task".to_owned(),
        count => format!("{count} tasks"),
    }
}
