//! What agents say about their attempts.

use std::sync::Arc;

use crate::ids::{AttemptKey, NodeIx};
use crate::run::backoff;
use crate::run::checkpoint::{NewFiles, RejectedCheckpoint, SavedFiles};
use crate::run::command::{Report, ReportKind};
use crate::run::effect::Effect;
use crate::run::event::{Event, Failure, FailureClass};
use crate::run::rejection::Rejection;
use crate::run::status::TaskStatus;
use crate::run::turn::Turn;

/// Attempts of one task over all epochs; bounds loops of reruns and retries.
pub const ATTEMPTS_TOTAL_MAX: u32 = 1_000;

/// Lost attempts of one task per epoch that are made up for. A worker that disappears is not the task's fault, so these do
/// not count as its retries; a task that takes its worker down every time still comes to an end.
pub const LOSSES_MAX: u32 = 100;

/// Refused reports recorded per run; later ones are refused without a record.
pub const REFUSED_REPORTS_MAX: u32 = 1_000;

impl Turn<'_> {
    /// A report of the live attempt moves it on; a repeat of what is known already changes nothing; anything else is
    /// refused and recorded, so that duplicates, zombies and late heartbeats are harmless.
    pub(super) fn report(&mut self, report: Report) -> Result<(), Rejection> {
        let Report {
            node,
            epoch,
            attempt,
            kind,
        } = report;
        if self.state.get(node).is_none() {
            return Err(Rejection::UnknownTask(format!("node {}", node.0)));
        }
        let key = AttemptKey {
            run: self.state.id(),
            node,
            epoch,
            attempt,
        };
        if !self.state.is_live_attempt(key) {
            self.refuse(key, &kind);
            self.release_again(key, &kind);
            return Ok(());
        }
        match kind {
            ReportKind::Started if self.state.node(node).status == TaskStatus::Running => {}
            ReportKind::Started => self.emit(Event::TaskStarted { node }),
            ReportKind::Progress(progress) => self.emit(Event::TaskProgressed { node, progress }),
            ReportKind::Checkpoint(checkpoint) => self.emit(Event::TaskCheckpointed { node, checkpoint }),
            ReportKind::FilesSaved(saved) => self.files_saved(node, saved),
            ReportKind::CheckpointRejected(rejected) => self.checkpoint_rejected(node, rejected),
            ReportKind::Success { started_at, output } => {
                // An agent's clock may be ahead of ours.
                let started_at = started_at.map(|at| at.min(self.now));
                self.emit(Event::TaskSucceeded {
                    node,
                    started_at,
                    output,
                });
                self.cascade_from(node);
            }
            ReportKind::Failure(failure) => self.attempt_failed(node, failure),
        }
        Ok(())
    }

    /// The same files again are no new checkpoint.
    fn files_saved(&mut self, node: NodeIx, saved: Arc<NewFiles>) {
        let last = self.state.node(node).checkpoint.as_deref();
        if !last.is_some_and(|last| last.has(saved.files.list)) {
            self.emit(Event::TaskFilesSaved { node, saved });
        }
    }

    /// Files that are not remembered need no rejection.
    fn checkpoint_rejected(&mut self, node: NodeIx, rejected: Arc<RejectedCheckpoint>) {
        let last = self.state.node(node).checkpoint.as_deref();
        let is_known = |files: SavedFiles| {
            last.is_some_and(|last| last.newest_first().any(|checkpoint| checkpoint.has(files.list)))
        };
        if rejected.files.is_none_or(is_known) {
            self.emit(Event::CheckpointRejected { node, rejected });
        }
    }

    /// The live attempt of `node` ended badly: another attempt later, or the end of the task.
    pub(super) fn attempt_failed(&mut self, node: NodeIx, failure: Arc<Failure>) {
        let current = self.state.node(node);
        let retries = current.attempt.saturating_sub(1 + current.losses);
        let losses = current.losses;
        let rule = &self
            .state
            .choice_of(node)
            .expect("a live attempt was queued by a choice")
            .retry;
        let is_in_budget = match failure.class {
            FailureClass::Lost => losses < LOSSES_MAX,
            _ => retries < rule.max_retries,
        };
        let may_retry = rule.auto
            && failure.class.is_retryable()
            && is_in_budget
            && current.attempts_total < ATTEMPTS_TOTAL_MAX;
        if may_retry {
            let delay = backoff::delay_ms(rule, retries, self.state.attempt_of(node));
            self.emit(Event::AttemptFailed {
                node,
                failure,
                retry_at: self.now + delay,
            });
        } else {
            self.emit(Event::TaskFailed { node, failure });
            self.cascade_from(node);
        }
    }

    /// The end of an attempt is delivered again when its effects are not known to have been carried out.
    fn release_again(&mut self, key: AttemptKey, kind: &ReportKind) {
        let node = self.state.node(key.node);
        let is_past = (key.epoch, key.attempt) <= (node.epoch, node.attempt);
        let had_slots = self
            .state
            .choice_of(key.node)
            .is_none_or(|choice| !choice.pools.is_empty());
        if is_past && had_slots && ReportKind::is_end(kind.as_str()) {
            self.push_effect(Effect::Release(key));
        }
    }

    fn refuse(&mut self, key: AttemptKey, kind: &ReportKind) {
        let node = self.state.node(key.node);
        let is_repeat = node.epoch == key.epoch
            && node.attempt == key.attempt
            && match kind {
                ReportKind::Success { .. } => node.status == TaskStatus::Success,
                ReportKind::Failure(_) => matches!(node.status, TaskStatus::Failed | TaskStatus::RetryWait),
                ReportKind::Started => node.started_at.is_some(),
                ReportKind::Progress(_)
                | ReportKind::Checkpoint(_)
                | ReportKind::FilesSaved(_)
                | ReportKind::CheckpointRejected(_) => false,
            };
        let is_fenced = self.state.index.fenced.contains(&key);
        if (is_repeat && !is_fenced) || self.state.index.refused >= REFUSED_REPORTS_MAX {
            return;
        }
        let AttemptKey {
            node, epoch, attempt, ..
        } = key;
        self.emit(Event::ReportRefused {
            node,
            epoch,
            attempt,
            kind: kind.as_str().to_owned(),
        });
    }
}
