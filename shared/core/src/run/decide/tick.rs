//! What time itself brings about.

use std::sync::Arc;

use crate::ids::NodeIx;
use crate::run::event::{Event, Failure, FailureClass};
use crate::run::status::TaskStatus;
use crate::run::turn::Turn;

impl Turn<'_> {
    /// Carries out everything due by now, in the order in which it became due: retries, ends of holds, timeouts of
    /// attempts, deadlines.
    pub(super) fn tick(&mut self) {
        while !self.state.status.is_terminal() {
            let timer = self.state.index.due.first().copied();
            let deadline = self.state.index.deadlines.first().copied();
            match (timer, deadline) {
                (Some((at, node)), _) if at <= self.now && deadline.is_none_or(|(due, _)| at <= due) => {
                    self.come_due(node);
                }
                (_, Some((at, subject))) if at <= self.now => self.deadline_due(subject),
                _ => return,
            }
        }
    }

    fn come_due(&mut self, node: NodeIx) {
        match self.state.node(node).status {
            TaskStatus::RetryWait | TaskStatus::Held => self.emit(Event::TaskReady { node }),
            TaskStatus::Running => {
                let timeout_ms = self
                    .state
                    .choice_of(node)
                    .and_then(|choice| choice.timeout_ms)
                    .unwrap_or(0);
                let seconds = timeout_ms as f64 / 1000.0;
                let message =
                    format!("the attempt ran longer than its timeout of {seconds} s (raise 'timeout')");
                let failure = Failure {
                    class: FailureClass::Timeout,
                    message,
                    exit_code: None,
                };
                self.attempt_failed(node, Arc::new(failure));
            }
            other => unreachable!("only waiting and running tasks have a due time, this one is {other}"),
        }
    }
}
