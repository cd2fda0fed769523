//! Tasks that did not succeed, or not yet: what went wrong, and where it began.

use std::collections::BTreeSet;

use orchestrator_core::run::{FailureClass, RunStatus, SkipReason, TaskStatus};

use super::super::task::skip_text;
use super::{Explained, Explainer, quoted, trigger_text};

impl Explainer<'_> {
    pub(super) fn retry_wait(&self) -> Explained {
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

    pub(super) fn failed(&self) -> Explained {
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
        if entry.undoes.is_some() {
            because.push("It undoes what a rollback takes back: nothing is done again before.".to_owned());
            next_steps.push(self.command("resume", "to try it again"));
            next_steps.push(self.task_command("approve", "to take it as undone; then resume the run"));
        } else if matches!(self.state.status, RunStatus::Failed | RunStatus::Cancelled) {
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
    pub(super) fn skipped(&self) -> Explained {
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

    pub(super) fn cancelled(&self) -> Explained {
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
}
