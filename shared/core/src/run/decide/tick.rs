//! What time itself brings about.

use std::sync::Arc;

use crate::ids::NodeIx;
use crate::run::event::{Event, Failure, FailureClass};
use crate::run::status::TaskStatus;
use crate::run::turn::Turn;

impl Turn<'_> {
    /// Carries out everything due by now: retries, ends of holds, timeouts of attempts.
    pub(super) fn tick(&mut self) {
        while let Some(&(due, node)) = self.state.index.due.first() {
            if due > self.now || self.state.status.is_terminal() {
                return;
            }
            self.come_due(node);
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
