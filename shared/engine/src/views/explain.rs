//! Why a task ran where it did, why it waits, why it was skipped or failed: told from what was recorded, with what to do next.

use std::collections::BTreeSet;

use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::policy::HoldReason;
use orchestrator_core::run::{FailureClass, RunState, RunStatus, SkipReason, TaskStatus};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::Trigger;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attempts::AttemptView;
use super::choice::{ChoiceView, DemandView};
use super::plan::pools_text;
use super::task::{HeldView, TaskView, skip_text};

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
        let choice = state
            .choice_of(node)
            .map(|choice| ChoiceView::of(choice, &entry.usage));
        let explained = Explainer {
            state,
            node,
            choice: choice.as_ref(),
        }
        .explain();
        let Explained {
            answer,
            because,
            waits_for,
            next_steps,
        } = explained;
        let task = TaskView::of(state, node, now);
        ExplainView {
            run_id: state.id(),
            task,
            answer,
            because,
            waits_for,
            choice,
            attempts,
            next_steps,
        }
    }
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

    fn pending(&self) -> Explained {
        let task = self.state.task_of(self.node);
        if self.state.status == RunStatus::Pending {
            return Explained {
                answer: format!("'{}' waits because its run has not begun.", self.name()),
                because: vec![format!(
                    "Client '{}' has as many runs as its concurrent-run limit allows; this one begins when one of them ends.",
                    self.state.submission.client_id
                )],
                ..Explained::default()
            };
        }
        let open = task
            .depends_on
            .iter()
            .filter(|up| !self.state.node(**up).status.is_terminal());
        let open: Vec<String> = open.map(|up| format!("'{}'", self.state.name_of(*up))).collect();
        let waits_for = self.frontier();
        let mut next_steps = Vec::new();
        for wait in &waits_for {
            next_steps.push(format!(
                "orchestrator explain {} {}  # why it has not ended",
                self.state.id(),
                quoted(&wait.task)
            ));
        }
        next_steps.truncate(3);
        Explained {
            answer: format!("'{}' waits for {}.", self.name(), open.join(", ")),
            because: vec![trigger_text(task.trigger).to_owned()],
            waits_for,
            next_steps,
        }
    }

    /// The upstream tasks that are really open: those that do not themselves wait for upstream tasks.
    fn frontier(&self) -> Vec<WaitView> {
        const SHOWN_MAX: usize = 10;
        let mut seen = BTreeSet::new();
        let mut stack: Vec<NodeIx> = self
            .state
            .task_of(self.node)
            .depends_on
            .iter()
            .rev()
            .copied()
            .collect();
        let mut found = Vec::new();
        while let Some(node) = stack.pop() {
            let status = self.state.node(node).status;
            if status.is_terminal() || !seen.insert(node) || found.len() == SHOWN_MAX {
                continue;
            }
            if status == TaskStatus::Pending {
                stack.extend(self.state.task_of(node).depends_on.iter().rev());
                continue;
            }
            found.push(WaitView {
                task: self.state.name_of(node),
                status,
                why: self.why_open(node),
            });
        }
        found
    }

    fn why_open(&self, node: NodeIx) -> String {
        let entry = self.state.node(node);
        match entry.status {
            TaskStatus::Held => {
                HeldView::of(self.state, node).map_or_else(String::new, |held| held.explanation)
            }
            TaskStatus::RetryWait => match entry.due_at {
                Some(due) => format!("attempt {} failed, the next one is due at {due}", entry.attempt),
                None => format!("attempt {} failed", entry.attempt),
            },
            TaskStatus::Queued => format!("attempt {} was handed to its agent", entry.attempt),
            TaskStatus::Running => match entry.started_at {
                Some(started) => format!("attempt {} runs since {started}", entry.attempt.max(1)),
                None => "it runs".to_owned(),
            },
            _ => "the policy has not answered yet".to_owned(),
        }
    }

    fn ready(&self) -> Explained {
        Explained {
            answer: format!("'{}' is READY: the policy is about to be asked.", self.name()),
            ..Explained::default()
        }
    }

    fn held(&self) -> Explained {
        let entry = self.state.node(self.node);
        let held = HeldView::of(self.state, self.node);
        let explanation = held
            .as_ref()
            .map_or("it is held", |held| held.explanation.as_str());
        let mut because = self.recorded();
        let mut next_steps = Vec::new();
        if let Some(until) = held.as_ref().and_then(|held| held.until) {
            because.push(format!("It is asked about again at {until}."));
        }
        match entry.hold {
            Some(HoldReason::Pool) => {
                next_steps.push("orchestrator pools  # who holds the slots, who waits".to_owned());
                next_steps.push(format!(
                    "orchestrator priority {} 10  # to move the run's tasks ahead in the line",
                    self.state.id()
                ));
            }
            Some(HoldReason::Approval | HoldReason::Policy | HoldReason::Denied) => {
                next_steps.push(self.task_command("approve", "to let it run"));
                next_steps.push(self.task_command("reject", "to fail it"));
            }
            Some(HoldReason::Window | HoldReason::Budget) | None => {}
        }
        Explained {
            answer: format!("'{}' is HELD: {explanation}.", self.name()),
            because,
            next_steps,
            ..Explained::default()
        }
    }

    /// Queued, running or done: why it was allowed and why there.
    fn went(&self) -> Explained {
        let Some(choice) = self.choice else {
            return self.group();
        };
        let reason = choice.reason.trim_end_matches('.');
        let answer = format!("'{}' is {}: it {reason}.", self.name(), self.status());
        let mut explained = Explained {
            answer,
            because: self.recorded(),
            ..Explained::default()
        };
        if self.status() == TaskStatus::Success {
            explained
                .next_steps
                .push(self.task_command("logs", "what its agent printed"));
        }
        explained
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

    fn retry_wait(&self) -> Explained {
        let entry = self.state.node(self.node);
        let failure = entry
            .failure
            .as_deref()
            .map_or("it failed", |failure| failure.message.as_str());
        let mut because = self.recorded();
        if let Some(due) = entry.due_at {
            because.push(format!(
                "Attempt {} is due at {due}: exponential backoff with jitter.",
                entry.attempt + 1
            ));
        }
        Explained {
            answer: format!("'{}' waits for its next attempt: {failure}.", self.name()),
            because,
            next_steps: vec![self.task_command("logs", "what its agent printed")],
            ..Explained::default()
        }
    }

    fn failed(&self) -> Explained {
        let entry = self.state.node(self.node);
        let Some(failure) = entry.failure.as_deref() else {
            return self.group();
        };
        let mut because = Vec::new();
        because.push(match (failure.class, self.choice) {
            (FailureClass::Denied, _) => "The policy denied it, and on_denied is fail.".to_owned(),
            (FailureClass::Children, _) => "A for_each task fails when one of its items fails.".to_owned(),
            (FailureClass::Rejected, _) => "A person rejected it.".to_owned(),
            (class, _) if !class.is_retryable() => {
                format!(
                    "Errors of class '{}' are never retried: trying again cannot help.",
                    class.as_str()
                )
            }
            (class, Some(choice)) if !choice.retries_by_itself => format!(
                "Errors of class '{}' could be retried, but the policy says not without a person.",
                class.as_str()
            ),
            (class, choice) => format!(
                "Errors of class '{}' are retried; attempt {} was the last of {}.",
                class.as_str(),
                entry.attempt,
                choice.map_or(1, |choice| choice.max_retries + 1)
            ),
        });
        because.extend(self.recorded());
        let mut next_steps = Vec::new();
        if entry.attempt > 0 {
            next_steps.push(self.task_command("logs", "what its agent printed"));
        }
        if matches!(self.state.status, RunStatus::Failed | RunStatus::Cancelled) {
            next_steps.push(self.command("retry", "to start again from where it failed"));
        } else {
            next_steps.push(self.task_command("rerun", "to do it and what depends on it again"));
        }
        Explained {
            answer: format!(
                "'{}' FAILED: {}.",
                self.name(),
                failure.message.trim_end_matches('.')
            ),
            because,
            next_steps,
            ..Explained::default()
        }
    }

    /// Follows the chain of skips down to where it began.
    fn skipped(&self) -> Explained {
        let mut because = Vec::new();
        let mut next_steps = Vec::new();
        let mut at = self.node;
        let mut seen = BTreeSet::new();
        while let Some(reason) = self.state.node(at).skipped.as_ref().filter(|_| seen.insert(at)) {
            if at != self.node {
                because.push(format!(
                    "'{}' was SKIPPED: {}.",
                    self.state.name_of(at),
                    skip_text(self.state, reason)
                ));
            }
            let SkipReason::Upstream { task } = reason else {
                break;
            };
            at = *task;
        }
        let root = self.state.node(at);
        if let (TaskStatus::Failed, Some(failure)) = (root.status, root.failure.as_deref()) {
            because.push(format!(
                "'{}' FAILED: {}.",
                self.state.name_of(at),
                failure.message.trim_end_matches('.')
            ));
        }
        if at != self.node {
            let (id, root) = (self.state.id(), quoted(&self.state.name_of(at)));
            next_steps.push(format!("orchestrator explain {id} {root}  # where it began"));
        }
        if let Some(when) = self
            .state
            .task_of(at)
            .when
            .as_ref()
            .filter(|_| root.skipped == Some(SkipReason::Condition))
        {
            because.push(format!(
                "The condition of '{}' is `{}`.",
                self.state.name_of(at),
                when.source()
            ));
        }
        because.extend(self.recorded());
        let reason = self.state.node(self.node).skipped.as_ref();
        match reason {
            Some(SkipReason::Upstream { .. }) => {
                because.push(trigger_text(self.state.task_of(self.node).trigger).to_owned());
            }
            Some(SkipReason::Denied { .. }) => {
                next_steps.push(self.task_command("rerun", "to ask the policy again, after changing it"));
            }
            _ => {}
        }
        let reason = reason.map_or_else(
            || "it was not needed".to_owned(),
            |reason| skip_text(self.state, reason),
        );
        Explained {
            answer: format!("'{}' was SKIPPED: {reason}.", self.name()),
            because,
            next_steps,
            ..Explained::default()
        }
    }

    fn cancelled(&self) -> Explained {
        let because = match &self.state.cancelled {
            Some((by, reason)) => vec![format!("'{by}' cancelled the run: {reason}.")],
            None => Vec::new(),
        };
        Explained {
            answer: format!("'{}' was CANCELLED with its run.", self.name()),
            because,
            next_steps: vec![self.command("retry", "to start again what was cancelled")],
            ..Explained::default()
        }
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
        if !choice.pools.is_empty() {
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
