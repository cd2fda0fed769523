//! Why a task ran where it did, why it waits, why it was skipped or failed: told from what was recorded, with what to do next.

mod ended;
mod waiting;

use std::sync::Arc;

use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::policy::Choice;
use orchestrator_core::run::{RunState, RunStatus, SkipReason, TaskStatus};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::Trigger;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attempts::AttemptView;
use super::choice::{ChoiceView, DemandView};
use super::deadline::DeadlineView;
use super::plan::pools_text;
use super::reuse;
use super::task::TaskView;
use crate::sla::Stall;

/// The explanation of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Explanation")]
pub struct ExplainView {
    /// The run.
    #[schemars(with = "String")]
    pub run_id: RunId,
    /// The task.
    pub task: TaskView,
    /// The answer in one sentence.
    pub answer: String,
    /// What led to it, sentence by sentence.
    pub because: Vec<String>,
    /// What it waits for, down to what is really open, for tasks that wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<WaitView>,
    /// The recorded choice of the policy, once it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<ChoiceView>,
    /// Deadlines whose clocks run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deadlines: Vec<DeadlineView>,
    /// Every attempt, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptView>,
    /// What you can do, as command lines with a few words each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_steps: Vec<String>,
}

/// Something a task waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Wait")]
pub struct WaitView {
    /// The upstream task.
    pub task: String,
    /// Its state.
    #[schemars(schema_with = "super::task::status_schema")]
    pub status: TaskStatus,
    /// Why it has not ended.
    pub why: String,
}

impl ExplainView {
    /// Explains a node of a run.
    pub fn of(state: &RunState, node: NodeIx, attempts: Vec<AttemptView>, now: Timestamp) -> ExplainView {
        let entry = state.node(node);
        let choice = recorded_choice(state, node).map(|choice| ChoiceView::of(choice, &entry.usage));
        let explained = Explainer {
            state,
            node,
            choice: choice.as_ref(),
        }
        .explain();
        let Explained {
            answer,
            mut because,
            waits_for,
            mut next_steps,
        } = explained;
        if let Some(stall) = Stall::of(state, now) {
            because.push(format!("The run does not move: {}.", stall.cause.text()));
            next_steps.push("orchestrator sla  # to see what else is late".to_owned());
        }
        let task = TaskView::of(state, node, now);
        ExplainView {
            run_id: state.id(),
            task,
            answer,
            because,
            waits_for,
            choice,
            deadlines: DeadlineView::all(state, Some(node), now),
            attempts,
            next_steps,
        }
    }
}

/// The choice in force, or the one that denied the task: a skipped task is under no choice any more.
fn recorded_choice(state: &RunState, node: NodeIx) -> Option<&Choice> {
    let in_force = state.choice_of(node).map(Arc::as_ref);
    in_force.or_else(|| match state.node(node).skipped {
        Some(SkipReason::Denied { choice }) => state.choices.get(choice as usize).map(Arc::as_ref),
        _ => None,
    })
}

#[derive(Default)]
struct Explained {
    answer: String,
    because: Vec<String>,
    waits_for: Vec<WaitView>,
    next_steps: Vec<String>,
}

struct Explainer<'a> {
    state: &'a RunState,
    node: NodeIx,
    choice: Option<&'a ChoiceView>,
}

impl Explainer<'_> {
    fn explain(&self) -> Explained {
        let mut explained = match self.status() {
            TaskStatus::Pending => self.pending(),
            TaskStatus::Ready => self.ready(),
            TaskStatus::Held => self.held(),
            TaskStatus::Queued | TaskStatus::Running | TaskStatus::Success => self.went(),
            TaskStatus::RetryWait => self.retry_wait(),
            TaskStatus::Failed => self.failed(),
            TaskStatus::Skipped => self.skipped(),
            TaskStatus::Cancelled => self.cancelled(),
        };
        if self.state.status == RunStatus::Paused && !self.status().is_terminal() {
            explained
                .because
                .push("The run is PAUSED: nothing new is decided until it is resumed.".to_owned());
            explained
                .next_steps
                .push(self.command("resume", "to go on deciding"));
        }
        explained
    }

    fn status(&self) -> TaskStatus {
        self.state.node(self.node).status
    }

    fn name(&self) -> String {
        self.state.name_of(self.node)
    }

    fn command(&self, verb: &str, why: &str) -> String {
        format!("orchestrator {verb} {}  # {why}", self.state.id())
    }

    fn task_command(&self, verb: &str, why: &str) -> String {
        format!(
            "orchestrator {verb} {} {}  # {why}",
            self.state.id(),
            quoted(&self.name())
        )
    }

    /// Queued, running or done: why it was allowed and why there.
    fn went(&self) -> Explained {
        let Some(choice) = self.choice else {
            return self.group();
        };
        let reason = choice.reason.trim_end_matches('.');
        if let Some(reused) = self.reused() {
            return reused;
        }
        let answer = format!("'{}' is {}: it {reason}.", self.name(), self.status());
        let mut explained = Explained {
            answer,
            because: self.recorded(),
            ..Explained::default()
        };
        let lookup = self.state.node(self.node).lookup.as_deref();
        explained
            .because
            .extend(lookup.map(|lookup| format!("Its result may be reused: {}.", reuse::text(lookup))));
        if self.status() == TaskStatus::Success {
            explained
                .next_steps
                .push(self.task_command("logs", "what its agent printed"));
        }
        explained
    }

    /// Answered from the cache.
    fn reused(&self) -> Option<Explained> {
        let entry = self.state.node(self.node);
        let origin = entry.reused()?;
        let text = entry.lookup.as_deref().map(reuse::text)?;
        let mut because = vec![
            "Agent, version, action, parameters, inputs and outputs of upstream tasks are the same."
                .to_owned(),
            format!(
                "No attempt was made; the execution had taken {} ms.",
                origin.run_ms
            ),
        ];
        because.extend(self.recorded());
        let task = quoted(&origin.task);
        Some(Explained {
            answer: format!(
                "'{}' is {} without having run: {text}.",
                self.name(),
                self.status()
            ),
            because,
            next_steps: vec![
                format!("orchestrator explain {} {task}  # the execution", origin.run),
                self.task_command("rerun", "to really do it"),
            ],
            ..Explained::default()
        })
    }

    fn group(&self) -> Explained {
        let Some(group) = self.state.node(self.node).group else {
            return Explained {
                answer: format!("'{}' is {}.", self.name(), self.status()),
                ..Explained::default()
            };
        };
        let list = self
            .state
            .task_of(self.node)
            .for_each
            .as_ref()
            .map_or("", |list| list.source());
        let first = format!("{}[0]", self.name());
        let mut explained = Explained {
            answer: format!(
                "'{}' fans out over {} items: {} have ended.",
                self.name(),
                group.count,
                group.count - group.open
            ),
            because: vec![format!(
                "The list is `{list}`; the policy is asked about each item on its own."
            )],
            ..Explained::default()
        };
        if group.count > 0 {
            let id = self.state.id();
            explained
                .next_steps
                .push(format!("orchestrator explain {id} '{first}'  # one of the items"));
        }
        explained
    }

    /// What the recorded choice says, sentence by sentence.
    fn recorded(&self) -> Vec<String> {
        let Some(choice) = self.choice else {
            return Vec::new();
        };
        let mut sentences = vec![format!(
            "The policy (version {}) said '{}': {}.",
            choice.policy_version,
            choice.decision,
            choice.reason.trim_end_matches('.')
        )];
        if !choice.matched.is_empty() {
            sentences.push(format!(
                "What shaped it, in order: {}.",
                choice.matched.join(", ")
            ));
        }
        if !choice.pools.is_empty() && self.status() != TaskStatus::Skipped {
            let used = |pool: &DemandView| pool.used.map(|used| format!("{used} in use in '{}'", pool.pool));
            let used: Vec<String> = choice.pools.iter().filter_map(used).collect();
            let seen = if used.is_empty() {
                String::new()
            } else {
                format!(" (when it was asked: {})", used.join(", "))
            };
            sentences.push(format!("It needs a slot of {}{seen}.", pools_text(choice)));
        }
        sentences
    }
}

fn trigger_text(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::AllSuccess => "Its trigger is all_success: it runs when all upstream tasks have succeeded.",
        Trigger::AllDone => "Its trigger is all_done: it runs when all upstream tasks have ended, however.",
        Trigger::AnySuccess => {
            "Its trigger is any_success: it runs as soon as one upstream task has succeeded."
        }
        Trigger::NoneFailed => {
            "Its trigger is none_failed: it runs when all upstream tasks have ended and none failed."
        }
    }
}

/// A task name as one word of a shell command.
fn quoted(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':');
    match name.bytes().all(plain) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}
