//! Taking a run back.

use std::sync::Arc;

use crate::ids::NodeIx;
use crate::run::event::Event;
use crate::run::rejection::Rejection;
use crate::run::rollback::{self, PlanToken, Progress, Request, RolledBack};
use crate::run::status::TaskStatus;
use crate::run::turn::Turn;

impl Turn<'_> {
    /// Plans and applies in one turn: what is applied is what `token` stands for, or nothing (RB-2).
    pub(super) fn roll_back(
        &mut self,
        request: Request,
        token: Option<PlanToken>,
        by: String,
        reason: &str,
    ) -> Result<(), Rejection> {
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(Rejection::NoReason);
        }
        let plan = rollback::plan(self.state, &request)?;
        if let Some(shown) = token.filter(|shown| *shown != plan.token) {
            let actual = plan.token;
            return Err(Rejection::PlanChanged { shown, actual });
        }
        let number = self.state.rollbacks().len() + 1;
        let recorded = RolledBack {
            by: by.clone(),
            reason: reason.to_owned(),
            request,
            seeds: plan.seeds,
            token: plan.token,
            compensations: u32::try_from(plan.compensations.len()).unwrap_or(u32::MAX),
        };
        self.emit(Event::RolledBack {
            rollback: Arc::new(recorded),
        });
        if self.state.status.is_terminal() {
            let reason = format!("rollback {number}");
            self.emit(Event::RunReopened { by, reason });
        }
        for compensation in plan.compensations {
            let (of, params) = (compensation.of, compensation.params);
            self.emit(Event::CompensationPlanned { of, params });
        }
        for task in plan.tasks {
            self.emit(Event::TaskReset { node: task.node });
        }
        self.start_over(&plan.resumed);
        self.undo_next();
        self.settle_all();
        Ok(())
    }

    /// An action of a rollback has ended: the next one, or the tasks, or a stop in a place from where it can go on.
    pub(super) fn undo_ended(&mut self, node: NodeIx) {
        if self.state.node(node).status != TaskStatus::Success {
            // Clocks stop with the rollback, so deadlines that were missed by now come first.
            self.deadlines_due();
            if self.state.status.is_terminal() {
                return;
            }
            self.emit(Event::RollbackStopped { node });
            self.leave_lines();
        } else if self.state.unfinished_rollback().is_some() {
            self.undo_next();
        } else {
            self.settle_all();
        }
    }

    /// Goes on with a rollback that was stopped or cancelled: what has not succeeded is tried again, in a new epoch.
    pub(super) fn take_up_rollback(&mut self) {
        let Some(rollback) = self.state.unfinished_rollback() else {
            return;
        };
        for node in rollback.undos.clone() {
            let status = self.state.node(node).status;
            if status.is_terminal() && status != TaskStatus::Success {
                self.emit(Event::TaskReset { node });
            }
        }
        self.undo_next();
    }

    /// The action at which a rollback has stopped.
    pub(super) fn stopped_undo(&self) -> Option<NodeIx> {
        match self.state.progress_of(self.state.unfinished_rollback()?) {
            Progress::Stopped(node) => Some(node),
            _ => None,
        }
    }

    /// Lets the next action go, if it does not go yet.
    fn undo_next(&mut self) {
        let next = self
            .state
            .unfinished_rollback()
            .and_then(|rollback| self.state.next_undo(rollback));
        if let Some(node) = next.filter(|node| self.state.node(*node).status == TaskStatus::Pending) {
            self.make_ready(node);
        }
    }
}
