//! The attempts of one task, collected from the events of its run.

use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{Event, RunState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use super::replay::Step;
use super::task::ErrorView;

/// Attempts shown of one task.
const ATTEMPTS_MAX: usize = 100;

/// One attempt of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub struct AttemptView {
    /// Epoch of the task.
    pub epoch: u32,
    /// Attempt within the epoch, from 1.
    pub attempt: u32,
    /// `QUEUED`, `RUNNING`, `SUCCESS`, `FAILED` or `CANCELLED`.
    pub status: String,
    /// The checkpoint it started from: that of this attempt. Absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_checkpoint: Option<FromCheckpoint>,
    /// When it was queued.
    pub queued_at: At,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<At>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<At>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
    /// When the next attempt was to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<At>,
}

/// The attempt that saved a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FromCheckpoint")]
pub struct FromCheckpoint {
    /// Epoch of the task.
    pub epoch: u32,
    /// Attempt within the epoch.
    pub attempt: u32,
}

/// Collects the attempts of one node from the events of its run.
#[derive(Debug)]
pub struct Attempts {
    name: String,
    attempts: Vec<AttemptView>,
}

impl Attempts {
    /// Of the node with this name: a child of a `for_each` has no number before the task expands.
    pub fn of(name: &str) -> Attempts {
        Attempts {
            name: name.to_owned(),
            attempts: Vec::new(),
        }
    }

    /// Takes note of one event.
    pub fn see(&mut self, step: Step<'_>) {
        let Some(node) = step.event.node() else { return };
        if step.state.find(&self.name) != Some(node) {
            return;
        }
        let at = At(step.at);
        match step.event {
            Event::TaskQueued { attempt, .. } => {
                if self.attempts.len() == ATTEMPTS_MAX {
                    self.attempts.remove(0);
                }
                self.attempts.push(AttemptView {
                    epoch: step.state.node(node).epoch,
                    attempt: *attempt,
                    status: "QUEUED".to_owned(),
                    from_checkpoint: last_checkpoint(step.state, node),
                    queued_at: at,
                    started_at: None,
                    finished_at: None,
                    error: None,
                    retry_at: None,
                });
            }
            Event::CheckpointRejected { rejected, .. } => {
                if let (Some(_), Some(open)) = (rejected.files, self.open()) {
                    open.from_checkpoint = last_checkpoint(step.state, node);
                }
            }
            Event::TaskStarted { .. }
            | Event::TaskProgressed { .. }
            | Event::TaskCheckpointed { .. }
            | Event::TaskFilesSaved { .. } => {
                if let Some(open) = self.open() {
                    open.status = "RUNNING".to_owned();
                    open.started_at.get_or_insert(at);
                }
            }
            Event::TaskSucceeded { started_at, .. } => {
                let started_at = started_at.map_or(at, At);
                if let Some(open) = self.end("SUCCESS", at) {
                    open.started_at.get_or_insert(started_at);
                }
            }
            Event::AttemptFailed {
                failure, retry_at, ..
            } => {
                if let Some(open) = self.end("FAILED", at) {
                    open.error = Some(ErrorView::of(failure));
                    open.retry_at = Some(At(*retry_at));
                }
            }
            Event::TaskFailed { failure, .. } => {
                if let Some(open) = self.end("FAILED", at) {
                    open.error = Some(ErrorView::of(failure));
                }
            }
            Event::TaskCancelled { .. } | Event::TaskReset { .. } => drop(self.end("CANCELLED", at)),
            _ => {}
        }
    }

    /// What was collected, oldest first.
    pub fn finish(self) -> Vec<AttemptView> {
        self.attempts
    }

    fn open(&mut self) -> Option<&mut AttemptView> {
        self.attempts
            .last_mut()
            .filter(|attempt| attempt.finished_at.is_none())
    }

    fn end(&mut self, status: &str, at: At) -> Option<&mut AttemptView> {
        let open = self.open()?;
        open.status = status.to_owned();
        open.finished_at = Some(at);
        Some(open)
    }
}

fn last_checkpoint(state: &RunState, node: NodeIx) -> Option<FromCheckpoint> {
    let last = state.node(node).checkpoint.as_deref()?;
    Some(FromCheckpoint {
        epoch: last.epoch,
        attempt: last.attempt,
    })
}
