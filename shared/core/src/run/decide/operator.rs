//! What people ask of a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ids::NodeIx;
use crate::policy::HoldReason;
use crate::run::event::{Event, Failure, FailureClass};
use crate::run::rejection::Rejection;
use crate::run::rollback::{self, ResumedTask};
use crate::run::status::{RunStatus, TaskStatus};
use crate::run::turn::Turn;

impl Turn<'_> {
    pub(super) fn cancel(&mut self, by: String, reason: String) -> Result<(), Rejection> {
        self.refuse_ended()?;
        self.cancel_open();
        self.emit(Event::RunCancelled { by, reason });
        self.leave();
        Ok(())
    }

    /// Every task that has not ended is cancelled; nothing follows from that, because the run ends with them.
    pub(super) fn cancel_open(&mut self) {
        for index in 0..self.state.nodes().len() {
            let node = NodeIx::new(index);
            let entry = self.state.node(node);
            if !entry.status.is_terminal() && !entry.retired {
                self.emit(Event::TaskCancelled { node });
            }
        }
    }

    /// Clocks stop, so deadlines that were missed by now come first. Waiters leave their lines: slots granted to a paused run
    /// would be of no use to anyone.
    pub(super) fn pause(&mut self, by: String) -> Result<(), Rejection> {
        self.refuse_ended()?;
        self.need(RunStatus::Running, "a running run")?;
        self.deadlines_due();
        if self.state.status.is_terminal() {
            return Ok(());
        }
        self.emit(Event::RunPaused { by });
        self.leave_lines();
        Ok(())
    }

    pub(super) fn resume(&mut self, by: String) -> Result<(), Rejection> {
        self.refuse_ended()?;
        self.need(RunStatus::Paused, "a paused run")?;
        self.emit(Event::RunResumed { by });
        self.take_up_rollback();
        self.want_decision();
        Ok(())
    }

    /// FAILED and CANCELLED tasks, and what was skipped because of them, start over; successes stay.
    pub(super) fn retry(&mut self, by: String) -> Result<(), Rejection> {
        let status = self.state.status;
        if !matches!(status, RunStatus::Failed | RunStatus::Cancelled) {
            return Err(Rejection::NotRetryable(status));
        }
        self.emit(Event::RunReopened {
            by,
            reason: "retry".to_owned(),
        });
        let ended_badly = |status| matches!(status, TaskStatus::Failed | TaskStatus::Cancelled);
        let tasks = rollback::resumed(self.state, ended_badly, &BTreeSet::new());
        self.start_over(&tasks);
        self.take_up_rollback();
        self.settle_all();
        Ok(())
    }

    /// The task and everything downstream of it start over, whatever their state.
    pub(super) fn rerun(&mut self, node: NodeIx, by: String) -> Result<(), Rejection> {
        let Some(entry) = self.state.get(node) else {
            return Err(Rejection::UnknownTask(format!("node {}", node.0)));
        };
        if matches!(
            self.state.status,
            RunStatus::Pending | RunStatus::Translating | RunStatus::NeedsReview
        ) {
            let actual = self.state.status;
            return Err(Rejection::WrongRunStatus {
                actual,
                needed: "a run that has begun",
            });
        }
        if entry.status == TaskStatus::Pending || entry.retired {
            let task = self.state.name_of(node);
            let actual = entry.status;
            return Err(Rejection::WrongTaskStatus {
                task,
                actual,
                needed: "a task that has been reached",
            });
        }
        if entry.undoes.is_some() {
            let name = self.state.name_of(node);
            let needed = "a task or an item; 'resume' tries an action again that failed";
            return Err(Rejection::NotATask { name, needed });
        }
        if let Some(rollback) = self.state.unfinished_rollback() {
            return Err(Rejection::RollbackUnfinished(rollback.number));
        }
        let parent = entry.child_of.as_ref().map(|child| child.parent);
        if self.state.status.is_terminal() {
            let reason = format!("rerun {}", self.state.name_of(node));
            self.emit(Event::RunReopened { by, reason });
        }
        let workflow = Arc::clone(&self.state.workflow);
        for member in workflow.downstream_closure(&[parent.unwrap_or(node)]) {
            if Some(member) == parent {
                self.reopen_group(member);
                self.emit(Event::TaskReset { node });
                self.make_ready(node);
            } else if self.state.node(member).status != TaskStatus::Pending {
                self.emit(Event::TaskReset { node: member });
            }
        }
        self.settle_all();
        Ok(())
    }

    pub(super) fn approve(&mut self, node: NodeIx, by: String) -> Result<(), Rejection> {
        self.refuse_ended()?;
        if self.stopped_undo() == Some(node) {
            self.emit(Event::CompensationWaived { node, by });
            self.cascade_from(node);
            return Ok(());
        }
        self.need_person(node)?;
        self.emit(Event::TaskApproved { node, by });
        Ok(())
    }

    pub(super) fn reject(&mut self, node: NodeIx, by: String, reason: String) -> Result<(), Rejection> {
        self.refuse_ended()?;
        self.need_person(node)?;
        let message = format!("rejected by {by}: {reason}");
        let failure = Failure {
            class: FailureClass::Rejected,
            message,
            exit_code: None,
        };
        self.emit(Event::TaskFailed {
            node,
            failure: Arc::new(failure),
        });
        self.cascade_from(node);
        Ok(())
    }

    /// Waiting tasks are asked about again, so that the new priority counts at once.
    pub(super) fn set_priority(&mut self, by: String, priority: u8) -> Result<(), Rejection> {
        self.refuse_ended()?;
        if !(1..=10).contains(&priority) {
            return Err(Rejection::PriorityOutOfRange(priority));
        }
        if self.state.priority != Some(priority) {
            self.emit(Event::RunPriorityChanged { by, priority });
            self.leave_lines();
        }
        Ok(())
    }

    /// What waits for a slot is READY again; it keeps the time since which it waits.
    pub(super) fn leave_lines(&mut self) {
        let held: Vec<NodeIx> = self.state.held().collect();
        for node in held {
            if self.state.node(node).waits_for_pool() {
                self.emit(Event::TaskReady { node });
            }
        }
    }

    fn refuse_ended(&self) -> Result<(), Rejection> {
        match self.state.status {
            status if status.is_terminal() => Err(Rejection::RunEnded(status)),
            _ => Ok(()),
        }
    }

    fn need(&self, status: RunStatus, needed: &'static str) -> Result<(), Rejection> {
        match self.state.status {
            actual if actual == status => Ok(()),
            actual => Err(Rejection::WrongRunStatus { actual, needed }),
        }
    }

    /// Only a task that waits for a person can be approved or rejected.
    fn need_person(&self, node: NodeIx) -> Result<(), Rejection> {
        let Some(entry) = self.state.get(node) else {
            return Err(Rejection::UnknownTask(format!("node {}", node.0)));
        };
        match entry.hold {
            Some(HoldReason::Approval | HoldReason::Policy | HoldReason::Denied) => Ok(()),
            _ => Err(Rejection::WrongTaskStatus {
                task: self.state.name_of(node),
                actual: entry.status,
                needed: "a task that is HELD for a person",
            }),
        }
    }

    fn reopen_group(&mut self, node: NodeIx) {
        if self.state.node(node).status.is_terminal() {
            self.emit(Event::GroupReopened { node });
        }
    }

    /// Tasks that ended badly, and what depends on them, start over; a list that stays keeps the items that succeeded.
    pub(super) fn start_over(&mut self, tasks: &[ResumedTask]) {
        for task in tasks {
            match task.keeps_items {
                true => self.reopen_failed_children(task.node),
                false => self.emit(Event::TaskReset { node: task.node }),
            }
        }
    }

    fn reopen_failed_children(&mut self, node: NodeIx) {
        let group = self.state.node(node).group.expect("the caller saw the group");
        self.reopen_group(node);
        for child in group.children() {
            if matches!(
                self.state.node(child).status,
                TaskStatus::Failed | TaskStatus::Cancelled
            ) {
                self.emit(Event::TaskReset { node: child });
                self.make_ready(child);
            }
        }
    }

    /// Settles every PENDING task, upstream first, and groups none of whose children could start over; ends the run if
    /// nothing is left to do.
    pub(super) fn settle_all(&mut self) {
        let workflow = Arc::clone(&self.state.workflow);
        for &node in workflow.topological() {
            self.settle(node);
            if self.end_group_if_done(node) {
                self.cascade_from(node);
            }
        }
        self.end_if_done();
    }
}
