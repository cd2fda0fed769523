//! Deadlines that are due: warnings, breaches, and what a breach leads to.

use std::sync::Arc;

use crate::ids::NodeIx;
use crate::run::alerts::breached;
use crate::run::event::{Event, Failure, FailureClass};
use crate::run::turn::Turn;
use crate::run::watch::Clock;
use crate::sla::{DeadlineKind, OnBreach, Stage};

/// Who a run or a task is ended by when a deadline ends it.
pub const BY_SLA: &str = "sla";

impl Turn<'_> {
    /// Raises every alert that is due by now, and nothing else.
    pub(super) fn deadlines_due(&mut self) {
        while let Some(&(at, subject)) = self.state.index.deadlines.first() {
            if at > self.now || self.state.status.is_terminal() {
                return;
            }
            self.deadline_due(subject);
        }
    }

    /// Raises every alert that is due about one task, or about the run, and does what is asked for.
    pub(super) fn deadline_due(&mut self, subject: Option<NodeIx>) {
        let clocks: Vec<Clock> = self.state.clocks(subject).collect();
        for clock in clocks {
            if self.is_over(&clock) || clock.stage == Stage::Breached {
                continue;
            }
            if clock.is_missed_at(self.now) {
                let action = self.action(&clock);
                self.emit(breached(&clock, self.now, action));
                self.act(&clock, action);
            } else if clock.stage == Stage::Quiet && clock.warn_at().is_some_and(|at| at <= self.now) {
                self.emit(Event::SlaWarned {
                    key: clock.key,
                    max_ms: clock.limit.max_ms,
                    deadline: clock.deadline(),
                });
            }
        }
    }

    /// Whether what the clock measures has ended in this turn.
    fn is_over(&self, clock: &Clock) -> bool {
        !self
            .state
            .clocks(clock.key.node)
            .any(|current| current.key == clock.key)
    }

    /// What can be done of what is asked for: where there is no attempt, none can be retried.
    fn action(&self, clock: &Clock) -> OnBreach {
        let can_retry = clock.key.node.is_some_and(|node| self.state.is_live(node));
        match clock.limit.on_breach {
            OnBreach::Retry if !can_retry => OnBreach::Alert,
            action => action,
        }
    }

    fn act(&mut self, clock: &Clock, action: OnBreach) {
        let message = message(clock);
        match (clock.key.node, action) {
            (_, OnBreach::Alert) | (None, OnBreach::Retry) => {}
            (Some(node), OnBreach::Retry) => self.attempt_failed(node, failure(clock, message)),
            (Some(node), OnBreach::Fail) => {
                let failure = failure(clock, message);
                self.emit(Event::TaskFailed { node, failure });
                self.cascade_from(node);
            }
            (Some(node), OnBreach::Cancel) => {
                self.emit(Event::TaskCancelled { node });
                self.cascade_from(node);
            }
            (None, OnBreach::Cancel) => {
                self.cancel_open();
                let by = BY_SLA.to_owned();
                self.emit(Event::RunCancelled { by, reason: message });
                self.leave();
            }
            (None, OnBreach::Fail) => {
                self.cancel_open();
                self.emit(Event::RunFailed);
                self.leave();
            }
        }
    }
}

fn failure(clock: &Clock, message: String) -> Arc<Failure> {
    let class = match clock.key.kind {
        DeadlineKind::Heartbeat => FailureClass::Lost,
        _ => FailureClass::Timeout,
    };
    Arc::new(Failure {
        class,
        message,
        exit_code: None,
    })
}

fn message(clock: &Clock) -> String {
    let seconds = clock.limit.max_ms as f64 / 1_000.0;
    match clock.key.kind {
        DeadlineKind::Queue => {
            format!("the task waited for more than {seconds} s to start (raise 'queue_max_seconds')")
        }
        DeadlineKind::Task => {
            format!("the attempt ran longer than its deadline of {seconds} s (raise 'task_max_seconds')")
        }
        DeadlineKind::Heartbeat => format!(
            "nothing was heard of the attempt for more than {seconds} s (report progress, or raise \
             'heartbeat_seconds')"
        ),
        DeadlineKind::Workflow => {
            format!("the run took longer than {seconds} s (raise 'workflow_max_seconds')")
        }
    }
}
