//! Folding events into the state. Never fails and decides nothing.

use std::sync::Arc;

use serde_json::Value;

use super::command::ReportKind;
use super::event::{Event, FailureClass};
use super::group::{ChildOf, Group};
use super::state::{Node, RunState};
use super::status::{RunStatus, TaskStatus};
use super::watch::Violation;
use crate::ids::{AttemptKey, NodeIx};
use crate::policy::HoldReason;
use crate::sla::Stage;
use crate::time::Timestamp;

impl RunState {
    /// Applies one event that happened at `at`.
    pub fn evolve(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::RunSubmitted(_) => {}
            Event::RunAdmitted => {
                self.status = RunStatus::Running;
                self.admitted_at = Some(at);
            }
            Event::RunPaused { .. } | Event::RollbackStopped { .. } => {
                self.status = RunStatus::Paused;
                self.clocks_follow_the_run(at);
            }
            Event::RunResumed { .. } => {
                self.status = RunStatus::Running;
                self.clocks_follow_the_run(at);
            }
            Event::RunCancelled { by, reason } => {
                self.cancelled = Some((by.clone(), reason.clone()));
                self.end(RunStatus::Cancelled, at);
            }
            Event::RunSucceeded => self.end(RunStatus::Success, at),
            Event::RunFailed => self.end(RunStatus::Failed, at),
            Event::RunReopened { .. } => {
                self.status = RunStatus::Running;
                self.admitted_at.get_or_insert(at);
                self.finished_at = None;
                self.cancelled = None;
                self.run_opens(at);
            }
            Event::RolledBack { rollback } => self.rolled_back(rollback, at),
            Event::CompensationPlanned { of, params } => self.compensation_planned(*of, params),
            Event::CompensationWaived { node, .. } => {
                // From one end to another: what counts ends does not see it.
                self.finish(*node, TaskStatus::Success, at);
                if let Some(undo) = self.nodes[node.index()].undoes.clone() {
                    self.count_undo(&undo, TaskStatus::Success, true);
                }
            }
            Event::RunPriorityChanged { priority, .. } => self.priority = Some(*priority),
            Event::ChoiceMade { choice } => self.choices.push(Arc::clone(choice)),
            Event::TaskReady { node } => self.ready_node(*node, at),
            Event::TaskExpanded { node, items } => self.expand(*node, items, at),
            Event::TaskQueued {
                node,
                attempt,
                choice,
                usage,
                lookup,
            } => {
                let entry = &mut self.nodes[node.index()];
                entry.lookup.clone_from(lookup);
                entry.attempt = *attempt;
                entry.attempts_total += 1;
                entry.choice = Some(*choice);
                entry.usage.clone_from(usage);
                entry.queued_at = Some(at);
                entry.started_at = None;
                entry.progress = None;
                self.enter(*node, TaskStatus::Queued);
                self.set_due(*node, None);
                self.attempt_is_queued(*node, at);
            }
            Event::TaskHeld {
                node,
                choice,
                hold,
                until,
                full,
            } => {
                let entry = &mut self.nodes[node.index()];
                entry.choice = Some(*choice);
                entry.hold = Some(*hold);
                entry.full_pools.clone_from(full);
                self.enter(*node, TaskStatus::Held);
                self.set_due(*node, *until);
                self.wait_is_held(*node, *hold, at);
            }
            Event::TaskApproved { node, .. } => {
                self.nodes[node.index()].approved = true;
                self.ready_node(*node, at);
            }
            Event::TaskStarted { node } => self.start(*node, at),
            Event::TaskProgressed { node, progress } => {
                self.start(*node, at);
                self.nodes[node.index()].progress = Some(Arc::clone(progress));
                self.is_heard_of(*node, at);
            }
            Event::TaskCheckpointed { node, checkpoint } => {
                self.start(*node, at);
                self.remember(*node, Arc::clone(checkpoint), None, at);
                self.is_heard_of(*node, at);
            }
            Event::TaskFilesSaved { node, saved } => {
                self.start(*node, at);
                self.remember(*node, Arc::new(saved.value.clone()), Some(saved.files), at);
                self.is_heard_of(*node, at);
            }
            Event::CheckpointRejected { node, rejected } => {
                let last = &mut self.nodes[node.index()].checkpoint;
                if let (Some(files), Some(checkpoint)) = (rejected.files, &last) {
                    *last = checkpoint.without(files.list);
                }
            }
            Event::TaskSucceeded {
                node,
                started_at,
                output,
            } => {
                let entry = &mut self.nodes[node.index()];
                entry.started_at = entry.started_at.or(*started_at).or(Some(at));
                entry.output.clone_from(output);
                self.finish(*node, TaskStatus::Success, at);
                self.is_done_again(*node);
            }
            Event::TaskReused {
                node,
                choice,
                lookup,
                output,
            } => {
                self.reuse(*node, *choice, lookup, output.as_ref());
                self.finish(*node, TaskStatus::Success, at);
            }
            Event::GroupSucceeded { node } => {
                self.nodes[node.index()].output = Some(Arc::new(self.group_output(*node)));
                self.finish(*node, TaskStatus::Success, at);
            }
            Event::AttemptFailed {
                node,
                failure,
                retry_at,
            } => {
                self.fence_unless_reported(*node, failure.class);
                let entry = &mut self.nodes[node.index()];
                entry.failure = Some(Arc::clone(failure));
                entry.losses += u32::from(failure.class == FailureClass::Lost);
                self.enter(*node, TaskStatus::RetryWait);
                self.set_due(*node, Some(*retry_at));
                self.rewatch(Some(*node));
            }
            Event::TaskFailed { node, failure } => {
                self.fence_unless_reported(*node, failure.class);
                self.nodes[node.index()].failure = Some(Arc::clone(failure));
                self.finish(*node, TaskStatus::Failed, at);
            }
            Event::TaskSkipped { node, reason } => {
                self.nodes[node.index()].skipped = Some(reason.clone());
                self.finish(*node, TaskStatus::Skipped, at);
            }
            Event::TaskCancelled { node } => {
                self.fence(*node);
                self.finish(*node, TaskStatus::Cancelled, at);
            }
            Event::TaskReset { node } => self.reset(*node),
            Event::GroupReopened { node } => self.reopen_group(*node),
            Event::ReportRefused {
                node,
                epoch,
                attempt,
                kind,
            } => {
                self.index.refused += 1;
                if ReportKind::is_end(kind) {
                    let key = AttemptKey {
                        run: self.id(),
                        node: *node,
                        epoch: *epoch,
                        attempt: *attempt,
                    };
                    self.index.fenced.remove(&key);
                }
            }
            Event::SlaWarned { key, .. } => self.alert_is_raised(*key, Stage::Warned),
            Event::SlaBreached {
                key,
                max_ms,
                deadline,
                ..
            } => {
                self.alert_is_raised(*key, Stage::Breached);
                let violation = Violation {
                    max_ms: *max_ms,
                    deadline: *deadline,
                    breached_at: at,
                };
                self.index.violations.insert(*key, violation);
            }
            Event::SlaResolved { key, .. } => drop(self.index.violations.remove(key)),
        }
    }

    fn end(&mut self, status: RunStatus, at: Timestamp) {
        self.status = status;
        self.finished_at = Some(at);
        self.run_closes(at);
    }

    fn ready_node(&mut self, node: NodeIx, at: Timestamp) {
        let entry = &mut self.nodes[node.index()];
        entry.ready_at.get_or_insert(at);
        let goes_on = entry.status == TaskStatus::Held;
        self.enter(node, TaskStatus::Ready);
        self.set_due(node, None);
        self.wait_begins(node, goes_on, at);
    }

    fn start(&mut self, node: NodeIx, at: Timestamp) {
        if self.nodes[node.index()].status != TaskStatus::Queued {
            return;
        }
        self.nodes[node.index()].started_at = Some(at);
        self.enter(node, TaskStatus::Running);
        let timeout = self.choice_of(node).and_then(|choice| choice.timeout_ms);
        self.set_due(node, timeout.map(|millis| at + millis));
        self.is_heard_of(node, at);
    }

    /// Moves a node to a terminal state and counts it where it counts.
    fn finish(&mut self, node: NodeIx, status: TaskStatus, at: Timestamp) {
        self.nodes[node.index()].finished_at = Some(at);
        self.enter(node, status);
        self.set_due(node, None);
        self.rewatch(Some(node));
        self.needs_forgetting_no_more(node);
    }

    /// Changes the state of a node and every derived count and set with it.
    pub(super) fn enter(&mut self, node: NodeIx, to: TaskStatus) {
        let from = std::mem::replace(&mut self.nodes[node.index()].status, to);
        if from == TaskStatus::Held {
            let entry = &mut self.nodes[node.index()];
            if to != TaskStatus::Held {
                entry.hold = None;
                entry.full_pools = Vec::new();
            }
        }
        let is_group = self.nodes[node.index()].group.is_some();
        let index = &mut self.index;
        match from {
            TaskStatus::Ready => drop(index.ready.remove(&node)),
            TaskStatus::Held => drop(index.held.remove(&node)),
            TaskStatus::Queued | TaskStatus::Running => drop(index.live.remove(&node)),
            _ => {}
        }
        match to {
            TaskStatus::Ready => drop(index.ready.insert(node)),
            TaskStatus::Held => drop(index.held.insert(node)),
            TaskStatus::Queued | TaskStatus::Running if !is_group => drop(index.live.insert(node)),
            _ => {}
        }
        match (from.is_terminal(), to.is_terminal()) {
            (false, true) => self.count_end(node, to, true),
            (true, false) => self.count_end(node, from, false),
            _ => {}
        }
    }

    /// Adds (or takes back) the end of a node where it counts: the run's open nodes, its dependents or its group.
    fn count_end(&mut self, node: NodeIx, status: TaskStatus, add: bool) {
        let step = |count: &mut u32| *count = if add { *count + 1 } else { *count - 1 };
        let unstep = |count: &mut u32| *count = if add { *count - 1 } else { *count + 1 };
        let failed = matches!(status, TaskStatus::Failed | TaskStatus::Cancelled);
        let entry = &self.nodes[node.index()];
        if entry.retired {
            return;
        }
        unstep(&mut self.index.open);
        if let Some(undo) = entry.undoes.clone() {
            return self.count_undo(&undo, status, add);
        }
        if let Some(child) = entry.child_of.clone() {
            let group = self.nodes[child.parent.index()]
                .group
                .as_mut()
                .expect("a child that is not retired has a group");
            unstep(&mut group.open);
            if failed {
                step(&mut group.failed);
            }
            return;
        }
        match status {
            TaskStatus::Failed => step(&mut self.index.failed),
            TaskStatus::Cancelled => step(&mut self.index.cancelled),
            _ => {}
        }
        for dependent in self.workflow.dependents(node) {
            let upstream = &mut self.nodes[dependent.index()].upstream;
            match status {
                TaskStatus::Success => step(&mut upstream.succeeded),
                TaskStatus::Skipped => step(&mut upstream.skipped),
                _ => step(&mut upstream.failed),
            }
        }
    }

    pub(super) fn set_due(&mut self, node: NodeIx, due: Option<Timestamp>) {
        let entry = &mut self.nodes[node.index()];
        if let Some(old) = std::mem::replace(&mut entry.due_at, due) {
            self.index.due.remove(&(old, node));
        }
        if let Some(new) = due {
            self.index.due.insert((new, node));
        }
    }

    fn expand(&mut self, node: NodeIx, items: &[Value], at: Timestamp) {
        let first = NodeIx::new(self.nodes.len());
        let count =
            u32::try_from(items.len()).expect("the number of items is bounded before the event is made");
        self.nodes[node.index()].group = Some(Group {
            first,
            count,
            open: count,
            failed: 0,
        });
        self.nodes[node.index()].ready_at.get_or_insert(at);
        self.nodes[node.index()].started_at = Some(at);
        self.enter(node, TaskStatus::Running);
        for (index, item) in (0..count).zip(items) {
            let child_of = Some(Arc::new(ChildOf {
                parent: node,
                index,
                item: item.clone(),
            }));
            self.nodes.push(Node {
                epoch: 1,
                child_of,
                ..Node::default()
            });
        }
        self.index.open += count;
    }

    fn group_output(&self, node: NodeIx) -> Value {
        let group = self
            .node(node)
            .group
            .expect("only an expanded task succeeds as a group");
        let output = |child: NodeIx| self.node(child).output.as_deref().cloned().unwrap_or(Value::Null);
        Value::Array(group.children().map(output).collect())
    }
}

impl Node {
    /// Whether the node waits for a slot.
    pub fn waits_for_pool(&self) -> bool {
        self.status == TaskStatus::Held && self.hold == Some(HoldReason::Pool)
    }
}
