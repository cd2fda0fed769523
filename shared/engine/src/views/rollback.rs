//! Rollbacks: what one will do, and what those of a run have done.

use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::run::rollback::{self, Plan, PlannedTask, Progress, Rollback, Target, Why};
use orchestrator_core::run::{Event, RunState, RunStatus, TaskStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::at::At;
use super::checkpoint::CheckpointView;
use super::list::RunSummaryView;

/// Exactly what a rollback does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RollbackPlan")]
pub struct RollbackPlanView {
    /// The run.
    #[schemars(with = "String")]
    pub run_id: RunId,
    /// State of the run.
    #[schemars(schema_with = "super::run::status_schema")]
    pub status: RunStatus,
    /// Whether the run has ended and goes on; its deadlines start over.
    pub reopens: bool,
    /// What was asked, in words.
    pub asked: String,
    /// Whether tasks start without their checkpoints.
    pub fresh: bool,
    /// The tasks that go back to PENDING in a new epoch, upstream first.
    pub tasks: Vec<PlannedTaskView>,
    /// What is undone before anything is done again, in this order, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compensations: Vec<PlannedUndoView>,
    /// Tasks beside them that were cancelled with the run and go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<ResumedTaskView>,
    /// Run time of the successful attempts whose work is done again.
    pub redo_ms: u64,
    /// Stands for this plan: sent with the rollback, it is carried out exactly like this or not at all.
    pub plan_token: String,
}

/// A task that is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PlannedTask")]
pub struct PlannedTaskView {
    /// The task.
    pub task: String,
    /// What it is.
    #[schemars(schema_with = "super::task::status_schema")]
    pub status: TaskStatus,
    /// Its epoch.
    pub epoch: u32,
    /// Its epoch afterwards.
    pub new_epoch: u32,
    /// Why it is in the set, in words.
    pub why: String,
    /// Which of the last tasks that succeeded it is, from 1, when steps were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The tasks of the set it directly depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Live attempts, of the task or of its items, that are fenced and stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<PlannedStopView>,
    /// The task or items of it that leave the line for a slot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves_line: Vec<String>,
    /// The checkpoint the next attempt gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointView>,
    /// Whether it has a checkpoint that is dropped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drops_checkpoint: bool,
    /// Size of the output that is dropped, bytes of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drops_output_bytes: Option<u64>,
    /// Whether a memoised result is dropped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drops_cached: bool,
    /// Items of a `for_each` that are given up; it fans out again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drops_items: u32,
    /// Run time of its successful attempts.
    pub redo_ms: u64,
}

/// A live attempt that is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PlannedStop")]
pub struct PlannedStopView {
    /// The task or item.
    pub task: String,
    /// Its epoch.
    pub epoch: u32,
    /// The attempt.
    pub attempt: u32,
}

/// An action that undoes something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PlannedCompensation")]
pub struct PlannedUndoView {
    /// The task or item that is undone.
    pub task: String,
    /// The agent.
    pub agent: String,
    /// The action.
    pub action: String,
    /// Its parameters.
    pub params: Value,
}

/// A task that was cancelled with its run and goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ResumedTask")]
pub struct ResumedTaskView {
    /// The task.
    pub task: String,
    /// What it is.
    #[schemars(schema_with = "super::task::status_schema")]
    pub status: TaskStatus,
    /// Whether it is a `for_each` task that keeps the items that succeeded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_items: bool,
}

/// A rollback of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Rollback")]
pub struct RollbackView {
    /// From 1.
    pub number: u32,
    /// When it was applied.
    pub at: At,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How far it has got.
    #[serde(flatten)]
    pub progress: RollbackProgressView,
    /// What was done. Absent when a program of another version, that plans otherwise, has applied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<RollbackPlanView>,
    /// Stands for the plan that was applied.
    pub plan_token: String,
}

/// How far a rollback has got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RollbackProgress")]
pub struct RollbackProgressView {
    /// `done` (everything is undone, the tasks start over), `compensating`, `stopped` (an action failed for good: 'resume' tries
    /// it again) or `cancelled` (with its run: 'retry' goes on).
    pub state: String,
    /// The action it is at, for every state but `done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Why it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Actions that have succeeded.
    pub undone: u32,
    /// Actions in all.
    pub compensations: u32,
}

/// The rollbacks of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RollbackList {
    /// Oldest first.
    pub rollbacks: Vec<RollbackView>,
}

/// The answer to a rollback, or to the question what it would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RollbackAnswer")]
pub struct RollbackAnswer {
    /// Whether it was applied; otherwise it was a preview.
    pub applied: bool,
    /// What it does.
    pub plan: RollbackPlanView,
    /// The rollback, once it is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<u32>,
    /// The run, as it is now.
    pub run: RunSummaryView,
}

impl RollbackPlanView {
    /// The view of a plan made of this state.
    pub fn of(state: &RunState, plan: &Plan) -> RollbackPlanView {
        let name = |node: NodeIx| state.name_of(node);
        RollbackPlanView {
            run_id: state.id(),
            status: state.status,
            reopens: plan.reopens.is_some(),
            asked: asked(state, &plan.request.target),
            fresh: plan.request.fresh,
            tasks: plan
                .tasks
                .iter()
                .map(|task| PlannedTaskView::of(state, task))
                .collect(),
            compensations: plan
                .compensations
                .iter()
                .map(|undo| PlannedUndoView {
                    task: name(undo.of),
                    agent: undo.agent.clone(),
                    action: undo.action.clone(),
                    params: (*undo.params).clone(),
                })
                .collect(),
            resumed: plan
                .resumed
                .iter()
                .map(|task| ResumedTaskView {
                    task: name(task.node),
                    status: task.status,
                    keeps_items: task.keeps_items,
                })
                .collect(),
            redo_ms: plan.redo_ms,
            plan_token: plan.token.to_string(),
        }
    }
}

impl PlannedTaskView {
    fn of(state: &RunState, task: &PlannedTask) -> PlannedTaskView {
        let names = |nodes: &[NodeIx]| nodes.iter().map(|node| state.name_of(*node)).collect::<Vec<_>>();
        let depends_on = names(&task.upstream);
        let (why, step) = match task.why {
            Why::Step(1) => ("the last task that succeeded".to_owned(), Some(1)),
            Why::Step(step) => (format!("step {step} back"), Some(step)),
            Why::Named => ("asked for".to_owned(), None),
            Why::Downstream => (format!("downstream of '{}'", depends_on.join("', '")), None),
        };
        PlannedTaskView {
            task: state.name_of(task.node),
            status: task.status,
            epoch: task.epoch,
            new_epoch: task.epoch + 1,
            why,
            step,
            depends_on,
            stops: task
                .stops
                .iter()
                .map(|stop| PlannedStopView {
                    task: state.name_of(stop.node),
                    epoch: stop.epoch,
                    attempt: stop.attempt,
                })
                .collect(),
            leaves_line: names(&task.leaves_line),
            checkpoint: task.checkpoint.as_deref().map(CheckpointView::whole),
            drops_checkpoint: task.drops_checkpoint,
            drops_output_bytes: task.output_bytes,
            drops_cached: task.drops_cached,
            drops_items: task.items,
            redo_ms: task.redo_ms,
        }
    }
}

impl RollbackProgressView {
    /// How far a rollback of this run has got.
    pub fn of(state: &RunState, rollback: &Rollback) -> RollbackProgressView {
        let (word, action) = match state.progress_of(rollback) {
            Progress::Done => ("done", None),
            Progress::Compensating(action) => ("compensating", Some(action)),
            Progress::Stopped(action) => ("stopped", Some(action)),
            Progress::Cancelled(action) => ("cancelled", Some(action)),
        };
        let failure = action.and_then(|action| state.node(action).failure.as_deref());
        let compensations = rollback.asked.compensations;
        RollbackProgressView {
            state: word.to_owned(),
            action: action.map(|action| state.name_of(action)),
            error: failure
                .filter(|_| word == "stopped")
                .map(|failure| failure.message.clone()),
            undone: compensations.saturating_sub(rollback.open),
            compensations,
        }
    }

    /// Of the rollback that has not undone everything yet, if there is one.
    pub fn unfinished(state: &RunState) -> Option<RollbackProgressView> {
        state
            .unfinished_rollback()
            .map(|rollback| RollbackProgressView::of(state, rollback))
    }
}

/// Collects the rollbacks of a run while its journal is read.
#[derive(Debug, Default)]
pub struct Rollbacks {
    plans: Vec<Option<RollbackPlanView>>,
}

impl Rollbacks {
    /// Looks at the run as it is just before an event: a plan is a function of that.
    pub fn before(&mut self, state: &RunState, event: &Event) {
        let Event::RolledBack { rollback } = event else {
            return;
        };
        let plan = rollback::plan(state, &rollback.request).ok();
        let plan = plan.filter(|plan| plan.token == rollback.token);
        self.plans
            .push(plan.map(|plan| RollbackPlanView::of(state, &plan)));
    }

    /// The list, when everything has been read.
    pub fn finish(self, state: &RunState) -> RollbackList {
        let view = |(rollback, plan): (&Rollback, Option<RollbackPlanView>)| RollbackView {
            number: rollback.number,
            at: At(rollback.at),
            by: rollback.asked.by.clone(),
            reason: rollback.asked.reason.clone(),
            progress: RollbackProgressView::of(state, rollback),
            plan,
            plan_token: rollback.asked.token.to_string(),
        };
        RollbackList {
            rollbacks: state.rollbacks().iter().zip(self.plans).map(view).collect(),
        }
    }
}

/// What was asked, in words.
fn asked(state: &RunState, target: &Target) -> String {
    match target {
        Target::Steps(1) => "1 step back".to_owned(),
        Target::Steps(steps) => format!("{steps} steps back"),
        Target::ToTask(node) => format!("back to '{}'", state.name_of(*node)),
        Target::Tasks(nodes) => {
            let names: Vec<String> = nodes.iter().map(|node| state.name_of(*node)).collect();
            format!("tasks '{}'", names.join("', '"))
        }
    }
}

/// What was asked and why, of the rollback an event records.
pub(super) fn describe(state: &RunState, recorded: &rollback::RolledBack) -> (String, Value) {
    let asked = asked(state, &recorded.request.target);
    let text = format!("taken back by '{}', {asked}: {}", recorded.by, recorded.reason);
    let data = serde_json::json!({
        "by": recorded.by,
        "reason": recorded.reason,
        "asked": asked,
        "fresh": recorded.request.fresh,
        "seeds": recorded.seeds.iter().map(|node| state.name_of(*node)).collect::<Vec<_>>(),
        "compensations": recorded.compensations,
        "plan_token": recorded.token.to_string(),
    });
    (text, data)
}

/// The name of the action that undoes a task or an item in the last rollback.
pub(super) fn action_for(state: &RunState, of: NodeIx) -> Option<String> {
    let undos = &state.rollbacks().last()?.undos;
    let undoes = |undo: &&NodeIx| {
        state
            .node(**undo)
            .undoes
            .as_ref()
            .is_some_and(|undone| undone.of == of)
    };
    undos.iter().find(undoes).map(|undo| state.name_of(*undo))
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
