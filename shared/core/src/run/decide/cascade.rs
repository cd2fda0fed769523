//! What follows when a task ends: dependents become ready, are skipped, or the run ends.

use std::sync::Arc;

use serde_json::Value;

use crate::ids::NodeIx;
use crate::run::effect::Effect;
use crate::run::event::{Event, Failure, FailureClass, SkipReason};
use crate::run::status::{RunStatus, TaskStatus};
use crate::run::turn::Turn;
use crate::workflow::Trigger;
use crate::{ids::AttemptKey, workflow::Expression};

/// Most items a `for_each` may fan out over.
pub const FOR_EACH_ITEMS_MAX: usize = 100_000;

/// What a task's trigger says, given how its upstream tasks ended so far.
enum Verdict {
    Wait,
    Run,
    Skip,
}

impl Turn<'_> {
    /// PENDING to RUNNING: the roots are settled.
    pub(super) fn admit(&mut self) {
        if self.state.status != RunStatus::Pending {
            return;
        }
        self.emit(Event::RunAdmitted);
        let workflow = Arc::clone(&self.state.workflow);
        for &node in workflow.topological() {
            if workflow.task(node).depends_on.is_empty() {
                self.settle(node);
            } else {
                break;
            }
        }
        self.end_if_done();
    }

    /// Follows the end of `node` to everything it decides, without recursion.
    pub(super) fn cascade_from(&mut self, node: NodeIx) {
        let mut ended = vec![node];
        while let Some(node) = ended.pop() {
            if let Some(child_of) = self.state.node(node).child_of.clone() {
                if self.end_group_if_done(child_of.parent) {
                    ended.push(child_of.parent);
                }
                continue;
            }
            if self.state.node(node).undoes.is_some() {
                self.undo_ended(node);
                continue;
            }
            // By index: to count who uses the workflow, once per task, would have to wait for every thread that reads it.
            for index in 0..self.state.workflow.dependents(node).len() {
                let dependent = self.state.workflow.dependents(node)[index];
                if self.settle_one(dependent) {
                    ended.push(dependent);
                }
            }
        }
        self.end_if_done();
    }

    /// Moves a PENDING task on if its trigger allows, and follows what that decides.
    pub(super) fn settle(&mut self, node: NodeIx) {
        if self.settle_one(node) {
            self.cascade_from(node);
        }
    }

    /// Whether the task ended right away (skipped, failed to evaluate, or fanned out over nothing).
    fn settle_one(&mut self, node: NodeIx) -> bool {
        if self.state.node(node).status != TaskStatus::Pending || self.state.waits_for_rollback(node) {
            return false;
        }
        match self.verdict_of(node) {
            Verdict::Wait => false,
            Verdict::Skip => {
                let task = self.spoiler_of(node);
                self.emit(Event::TaskSkipped {
                    node,
                    reason: SkipReason::Upstream { task },
                });
                true
            }
            Verdict::Run => self.begin(node),
        }
    }

    fn verdict_of(&self, node: NodeIx) -> Verdict {
        let task = self.state.workflow.task(node);
        let upstream = self.state.node(node).upstream;
        let total = u32::try_from(task.depends_on.len()).unwrap_or(u32::MAX);
        let all_ended = upstream.ended() == total;
        match task.trigger {
            _ if total == 0 => Verdict::Run,
            Trigger::AllSuccess if upstream.failed + upstream.skipped > 0 => Verdict::Skip,
            Trigger::AllSuccess | Trigger::AllDone if all_ended => Verdict::Run,
            Trigger::AnySuccess if upstream.succeeded > 0 => Verdict::Run,
            Trigger::AnySuccess if all_ended => Verdict::Skip,
            Trigger::NoneFailed if upstream.failed > 0 => Verdict::Skip,
            Trigger::NoneFailed if all_ended => Verdict::Run,
            _ => Verdict::Wait,
        }
    }

    /// The upstream task to name when the trigger can no longer be satisfied: the first that did not succeed.
    fn spoiler_of(&self, node: NodeIx) -> NodeIx {
        let task = self.state.workflow.task(node);
        let spoils = |status: TaskStatus| status.is_terminal() && status != TaskStatus::Success;
        let spoiler = task
            .depends_on
            .iter()
            .find(|upstream| spoils(self.state.node(**upstream).status));
        *spoiler.expect("a trigger is only spoilt by an upstream task that did not succeed")
    }

    /// The trigger is satisfied: evaluates `when` and `for_each`. Whether the task ended right away.
    fn begin(&mut self, node: NodeIx) -> bool {
        let task = self.state.workflow.task(node);
        let condition = task.when.as_ref();
        match condition.map_or(Ok(true), |condition| self.condition(node, condition)) {
            Ok(true) => {}
            Ok(false) => {
                self.emit(Event::TaskSkipped {
                    node,
                    reason: SkipReason::Condition,
                });
                return true;
            }
            Err(message) => return self.fail(node, message),
        }
        let list = self.state.workflow.task(node).for_each.as_ref();
        match list.map(|list| self.items(node, list)) {
            None => self.make_ready(node),
            Some(Ok(items)) => self.expand(node, items),
            Some(Err(message)) => self.fail(node, message),
        }
    }

    fn condition(&self, node: NodeIx, condition: &Expression) -> Result<bool, String> {
        let task = &self.state.workflow.task(node).id;
        match condition.evaluate(&self.state.scope(node)) {
            Ok(Value::Bool(value)) => Ok(value),
            Ok(other) => Err(format!(
                "'when' of task '{task}' gave {other}, not true or false (write a comparison)"
            )),
            Err(error) => Err(format!("'when' of task '{task}' cannot be evaluated: {error}")),
        }
    }

    fn items(&self, node: NodeIx, list: &Expression) -> Result<Vec<Value>, String> {
        let task = &self.state.workflow.task(node).id;
        match list.evaluate(&self.state.scope(node)) {
            Ok(Value::Array(items)) if items.len() > FOR_EACH_ITEMS_MAX => Err(format!(
                "'for_each' of task '{task}' gave {} items (at most {FOR_EACH_ITEMS_MAX})",
                items.len()
            )),
            Ok(Value::Array(items)) => Ok(items),
            Ok(_) => Err(format!(
                "'for_each' of task '{task}' gave no list (it must give a list)"
            )),
            Err(error) => Err(format!(
                "'for_each' of task '{task}' cannot be evaluated: {error}"
            )),
        }
    }

    fn expand(&mut self, node: NodeIx, items: Vec<Value>) -> bool {
        self.emit(Event::TaskExpanded {
            node,
            items: Arc::new(items),
        });
        let group = self
            .state
            .node(node)
            .group
            .expect("the event has just expanded it");
        for child in group.children() {
            self.make_ready(child);
        }
        self.end_group_if_done(node)
    }

    /// READY, unless a reference in its parameters has no value. Whether the task ended right away.
    pub(super) fn make_ready(&mut self, node: NodeIx) -> bool {
        let params = &self.state.task_of(node).params;
        if params.has_references()
            && let Err(error) = params.resolve(&self.state.scope(node))
        {
            let name = self.state.name_of(node);
            let message = format!("a parameter of task '{name}' has no value: {error}");
            return self.fail(node, message);
        }
        self.emit(Event::TaskReady { node });
        false
    }

    fn fail(&mut self, node: NodeIx, message: String) -> bool {
        let failure = Failure {
            class: FailureClass::Validation,
            message,
            exit_code: None,
        };
        self.emit(Event::TaskFailed {
            node,
            failure: Arc::new(failure),
        });
        true
    }

    /// Ends a `for_each` task whose children have all ended. Whether it did.
    pub(super) fn end_group_if_done(&mut self, parent: NodeIx) -> bool {
        let Some(group) = self.state.node(parent).group else {
            return false;
        };
        if group.open > 0 || self.state.node(parent).status != TaskStatus::Running {
            return false;
        }
        if group.failed == 0 {
            self.emit(Event::GroupSucceeded { node: parent });
        } else {
            let message = format!("{} of {} items failed", group.failed, group.count);
            let failure = Failure {
                class: FailureClass::Children,
                message,
                exit_code: None,
            };
            self.emit(Event::TaskFailed {
                node: parent,
                failure: Arc::new(failure),
            });
        }
        true
    }

    /// Ends the run once every node has ended.
    pub(super) fn end_if_done(&mut self) {
        let is_going = matches!(self.state.status, RunStatus::Running | RunStatus::Paused);
        if !is_going || self.state.open() > 0 {
            return;
        }
        let event = if self.state.failed() + self.state.cancelled_tasks() > 0 {
            Event::RunFailed
        } else {
            Event::RunSucceeded
        };
        self.emit(event);
        self.leave();
    }

    /// Gives back the run's place under the client's concurrent-run limit.
    pub(super) fn leave(&mut self) {
        if self.state.submission.needs_admission {
            let key = AttemptKey::admission(self.state.id());
            self.push_effect(Effect::Release(key));
        }
    }
}
