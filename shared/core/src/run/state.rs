//! The state of a run: what folding its journal gives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::checkpoint::Checkpoint;
use super::event::{Failure, Progress, SkipReason};
use super::group::{ChildOf, Group};
use super::reuse::{Lookup, TakenBack};
use super::rollback::{Rollback, Undo};
use super::scope::NodeScope;
use super::status::{RunStatus, TaskStatus};
use super::submission::Submission;
use super::watch::{RunWatch, Violation, Watch};
use crate::ids::{AttemptKey, NodeIx, RunId};
use crate::policy::{Choice, HoldReason};
use crate::sla::AlertKey;
use crate::time::Timestamp;
use crate::workflow::{Task, Workflow};

/// A run. Built only by [`RunState::submitted`] and [`RunState::evolve`].
#[derive(Debug, Clone)]
pub struct RunState {
    /// The definition it was submitted with.
    pub workflow: Arc<Workflow>,
    /// What was asked for.
    pub submission: Arc<Submission>,
    /// State of the run.
    pub status: RunStatus,
    /// Priority of the run, 1 to 10; an operator may change it.
    pub priority: Option<u8>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it was first admitted.
    pub admitted_at: Option<Timestamp>,
    /// When it ended, for terminal runs.
    pub finished_at: Option<Timestamp>,
    /// Who ended it and why, for cancelled runs.
    pub cancelled: Option<(String, String)>,
    /// Choices in the order they were first made; events refer to them by index.
    pub choices: Vec<Arc<Choice>>,
    /// Its deadline.
    pub watch: RunWatch,
    pub(super) nodes: Vec<Node>,
    pub(super) index: Index,
    pub(super) rollbacks: Vec<Rollback>,
    pub(super) soonest_deadline_ms: Option<u64>,
    facts: Arc<Value>,
}

/// One task, or one child of a `for_each` task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// State.
    pub status: TaskStatus,
    /// Epoch, from 1; one more each time the task is reset.
    pub epoch: u32,
    /// Attempt within the epoch; 0 before the first.
    pub attempt: u32,
    /// Attempts over all epochs.
    pub attempts_total: u32,
    /// Attempts of this epoch whose worker disappeared; they do not count as retries.
    pub losses: u32,
    /// Index of the choice in force.
    pub choice: Option<u32>,
    /// Used slots recorded with the choice.
    pub usage: Vec<u32>,
    /// What it waits for while HELD.
    pub hold: Option<HoldReason>,
    /// Pools that were full while HELD for a pool.
    pub full_pools: Vec<String>,
    /// Whether a person has approved it in this epoch.
    pub approved: bool,
    /// When it became READY in this epoch; the start of its queue time.
    pub ready_at: Option<Timestamp>,
    /// When the attempt was queued.
    pub queued_at: Option<Timestamp>,
    /// When the attempt started.
    pub started_at: Option<Timestamp>,
    /// When the task ended.
    pub finished_at: Option<Timestamp>,
    /// When time itself changes it: a retry is due, a hold ends, the attempt times out.
    pub due_at: Option<Timestamp>,
    /// Its deadlines.
    pub watch: Watch,
    /// Output after success.
    pub output: Option<Arc<Value>>,
    /// What became of looking for a kept result before the last attempt, or instead of one.
    pub lookup: Option<Arc<Lookup>>,
    /// Whether a result of its was taken back: it is really done from now on, whatever is kept.
    pub is_taken_back: bool,
    /// The last failure.
    pub failure: Option<Arc<Failure>>,
    /// Why it was skipped.
    pub skipped: Option<SkipReason>,
    /// The last progress of the live attempt.
    pub progress: Option<Arc<Progress>>,
    /// The last checkpoint, with those it falls back to; survives attempts and epochs. `None`: attempts begin with nothing.
    pub checkpoint: Option<Arc<Checkpoint>>,
    /// Counts of its direct upstream tasks by how they ended.
    pub upstream: Upstream,
    /// The children, once a `for_each` task has expanded.
    pub group: Option<Group>,
    /// For a child: its `for_each` task, its item's index and the item.
    pub child_of: Option<Arc<ChildOf>>,
    /// For an action of a rollback: what it undoes.
    pub undoes: Option<Arc<Undo>>,
    /// A child left behind by a reset of its `for_each` task; it no longer takes part.
    pub retired: bool,
}

/// How the direct upstream tasks of a task have ended so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upstream {
    /// SUCCESS.
    pub succeeded: u32,
    /// SKIPPED.
    pub skipped: u32,
    /// FAILED or CANCELLED.
    pub failed: u32,
}

impl Upstream {
    /// Upstream tasks that have ended.
    pub fn ended(self) -> u32 {
        self.succeeded + self.skipped + self.failed
    }
}

/// Derived sets that keep every question O(answer) instead of O(tasks).
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Index {
    /// READY.
    pub ready: BTreeSet<NodeIx>,
    /// HELD.
    pub held: BTreeSet<NodeIx>,
    /// QUEUED or RUNNING with a live attempt.
    pub live: BTreeSet<NodeIx>,
    /// Nodes with a `due_at`.
    pub due: BTreeSet<(Timestamp, NodeIx)>,
    /// Nodes, or the run (`None`), whose deadlines have something to say, and when.
    pub deadlines: BTreeSet<(Timestamp, Option<NodeIx>)>,
    /// Missed deadlines of what goes on.
    pub violations: BTreeMap<AlertKey, Violation>,
    /// Nodes that have not ended, without retired ones.
    pub open: u32,
    /// Nodes that FAILED, without retired ones and children.
    pub failed: u32,
    /// Nodes that were CANCELLED, without retired ones and children.
    pub cancelled: u32,
    /// Attempts that were ended from our side and have not been heard of since.
    pub fenced: BTreeSet<AttemptKey>,
    /// Refused reports recorded so far.
    pub refused: u32,
    /// Results that were taken back and are to be forgotten, with the task that is done again.
    pub taken_back: TakenBack,
}

impl RunState {
    /// The state after the first event.
    pub fn submitted(workflow: Arc<Workflow>, submission: Arc<Submission>, at: Timestamp) -> RunState {
        let nodes = vec![
            Node {
                epoch: 1,
                ..Node::default()
            };
            workflow.tasks.len()
        ];
        let index = Index {
            open: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
            ..Index::default()
        };
        let facts = Arc::new(json!({
            "id": submission.run,
            "workflow": workflow.name,
            "client_id": submission.client_id,
            "inputs": *submission.inputs,
            "metadata": *submission.metadata,
            "submitted_at": at.to_string(),
        }));
        let mut state = RunState {
            status: RunStatus::Pending,
            priority: submission.priority.or(workflow.priority),
            submitted_at: at,
            admitted_at: None,
            finished_at: None,
            cancelled: None,
            choices: Vec::new(),
            nodes,
            index,
            rollbacks: Vec::new(),
            soonest_deadline_ms: RunState::soonest_of(&workflow, &submission.sla),
            facts,
            workflow,
            submission,
            watch: RunWatch::default(),
        };
        state.run_opens(at);
        state
    }

    /// The run.
    pub fn id(&self) -> RunId {
        self.submission.run
    }

    /// All nodes: the tasks in document order, then the children of expanded `for_each` tasks and the actions of rollbacks,
    /// as they came.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node, if there is one.
    pub fn get(&self, node: NodeIx) -> Option<&Node> {
        self.nodes.get(node.index())
    }

    /// The node.
    ///
    /// # Panics
    /// When there is none: events and validated commands refer to existing nodes only.
    pub fn node(&self, node: NodeIx) -> &Node {
        &self.nodes[node.index()]
    }

    /// The definition a node follows: a child follows its `for_each` task's, an action of a rollback has its own.
    pub fn task_of(&self, node: NodeIx) -> &Task {
        let entry = self.node(node);
        match (&entry.child_of, &entry.undoes) {
            (Some(child), _) => self.workflow.task(child.parent),
            (None, Some(undo)) => &undo.task,
            (None, None) => self.workflow.task(node),
        }
    }

    /// The name of a node for people: `train`, `train[3]` for a child, `undo:train#1` for an action of a rollback.
    pub fn name_of(&self, node: NodeIx) -> String {
        match self.get(node) {
            Some(Node {
                child_of: Some(child),
                ..
            }) => {
                format!("{}[{}]", self.workflow.task(child.parent).id, child.index)
            }
            Some(_) => self.task_of(node).id.clone(),
            None => format!("node {}", node.0),
        }
    }

    /// The node with this name, as [`RunState::name_of`] prints it.
    pub fn find(&self, name: &str) -> Option<NodeIx> {
        if let Some(node) = self.workflow.find(name).or_else(|| self.find_undo(name)) {
            return Some(node);
        }
        let (task, index) = name.strip_suffix(']')?.rsplit_once('[')?;
        let group = self.node(self.workflow.find(task)?).group?;
        let index: u32 = index.parse().ok()?;
        (index < group.count).then(|| NodeIx(group.first.0 + index))
    }

    /// The choice in force for a node.
    pub fn choice_of(&self, node: NodeIx) -> Option<&Arc<Choice>> {
        self.node(node).choice.map(|index| &self.choices[index as usize])
    }

    /// Tasks the policy is to be asked about.
    pub fn ready(&self) -> impl Iterator<Item = NodeIx> + '_ {
        self.index.ready.iter().copied()
    }

    /// How many tasks the policy is to be asked about.
    pub fn ready_count(&self) -> usize {
        self.index.ready.len()
    }

    /// HELD tasks.
    pub fn held(&self) -> impl Iterator<Item = NodeIx> + '_ {
        self.index.held.iter().copied()
    }

    /// Live attempts.
    pub fn live(&self) -> impl Iterator<Item = AttemptKey> + '_ {
        self.index.live.iter().map(|&node| self.attempt_of(node))
    }

    /// Attempts ended from our side that have not been heard of since.
    pub fn fenced(&self) -> impl Iterator<Item = AttemptKey> + '_ {
        self.index.fenced.iter().copied()
    }

    /// The earliest time at which a retry, the end of a hold or a timeout is due.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.index.due.first().map(|&(at, _)| at)
    }

    /// The earliest time at which time itself changes this run.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.next_timer().into_iter().chain(self.next_deadline()).min()
    }

    /// The current attempt of a node.
    pub fn attempt_of(&self, node: NodeIx) -> AttemptKey {
        let Node { epoch, attempt, .. } = *self.node(node);
        AttemptKey {
            run: self.id(),
            node,
            epoch,
            attempt,
        }
    }

    /// The key under which a node holds slots or stands in line: its live attempt, or the attempt it waits to make.
    pub fn lease_key_of(&self, node: NodeIx) -> Option<AttemptKey> {
        // A turn that lost a race may have asked for the children of an expansion that did not happen.
        self.get(node)?;
        let current = self.attempt_of(node);
        match self.node(node).status {
            _ if self.is_live(node) => Some(current),
            TaskStatus::Held if self.node(node).hold == Some(HoldReason::Pool) => Some(AttemptKey {
                attempt: current.attempt + 1,
                ..current
            }),
            _ => None,
        }
    }

    /// Whether the node has a live attempt (an expanded `for_each` task has none of its own).
    pub fn is_live(&self, node: NodeIx) -> bool {
        self.index.live.contains(&node)
    }

    /// Whether this very attempt is live.
    pub fn is_live_attempt(&self, key: AttemptKey) -> bool {
        key.run == self.id()
            && self
                .get(key.node)
                .is_some_and(|_| self.is_live(key.node) && self.attempt_of(key.node) == key)
    }

    /// Number of nodes that have not ended.
    pub fn open(&self) -> u32 {
        self.index.open
    }

    /// Number of tasks that failed.
    pub fn failed(&self) -> u32 {
        self.index.failed
    }

    /// Number of tasks that were cancelled.
    pub fn cancelled_tasks(&self) -> u32 {
        self.index.cancelled
    }

    /// What expressions and references see from `node`.
    pub fn scope(&self, node: NodeIx) -> NodeScope<'_> {
        NodeScope::new(self, node)
    }

    /// What a node that succeeded has given; `null` when it gave nothing.
    pub(super) fn output_of(&self, node: NodeIx) -> Option<&Value> {
        let entry = self.node(node);
        match (&entry.output, entry.status) {
            (Some(output), _) => Some(output),
            (None, TaskStatus::Success) => Some(&Value::Null),
            (None, _) => None,
        }
    }

    /// Facts of the run for expressions and policy rules: `id`, `workflow`, `client_id`, `inputs`, `metadata`,
    /// `submitted_at`.
    pub fn facts(&self) -> &Value {
        &self.facts
    }
}
