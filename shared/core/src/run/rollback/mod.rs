//! Taking a run back: what is asked for, what it comes to, and what the run remembers of it.
//!
//! A rollback has a *set*: the tasks it starts from (its seeds) and everything downstream of them. [`plan()`] says exactly what
//! will happen; applying it makes the same plan again in the same turn, so what is applied is what was shown (RB-2). What the
//! tasks of the set did outside is undone first: each `compensate` action is a node of its own, appended to the run as the
//! items of a `for_each` are, in reverse topological order, one after the other. Until the last of them has succeeded, nothing
//! of the set moves (RB-1).

mod compensate;
mod evolve;
mod plan;
mod token;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::state::RunState;
use super::status::TaskStatus;
use crate::ids::NodeIx;
use crate::time::Timestamp;
use crate::workflow::{Compensation, OnDenied, ResourceSpec, RetrySpec, SlaSpec, Task, Template, Trigger};

pub use plan::{Plan, PlannedAttempt, PlannedCompensation, PlannedTask, ResumedTask, Why, plan};
pub(super) use plan::{parts_of, resumed};
pub use token::{PlanToken, PlanTokenError};

/// What is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The last so many tasks that succeeded, by the time they ended.
    Steps(u32),
    /// This task: it is done again.
    ToTask(NodeIx),
    /// These tasks.
    Tasks(Vec<NodeIx>),
}

/// A rollback that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Where it starts.
    pub target: Target,
    /// Whether the tasks start without their checkpoints.
    pub fresh: bool,
}

/// What is recorded of a rollback when it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What was asked.
    pub request: Request,
    /// The tasks it starts from, the first step first.
    pub seeds: Vec<NodeIx>,
    /// Stands for the plan that was applied.
    pub token: PlanToken,
    /// How many actions have to undo something first.
    pub compensations: u32,
}

/// A rollback as its run remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// From 1, in the order of the run's rollbacks.
    pub number: u32,
    /// Who asked for what, and why.
    pub asked: Arc<RolledBack>,
    /// When it was applied.
    pub at: Timestamp,
    /// The nodes that undo something, in the order in which they run.
    pub undos: Vec<NodeIx>,
    /// How many of them have not succeeded.
    pub open: u32,
    /// Seeds and everything downstream, as long as something is left to be undone.
    pub(super) set: BTreeSet<NodeIx>,
}

/// How far a rollback has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything is undone and the tasks start over.
    Done,
    /// This action is undoing something, or is about to.
    Compensating(NodeIx),
    /// This action failed for good: the run waits until it is resumed, which tries it again.
    Stopped(NodeIx),
    /// The run was ended before everything was undone; a retry of the run goes on here.
    Cancelled(NodeIx),
}

/// What a node undoes.
#[derive(Debug, PartialEq)]
pub struct Undo {
    /// The task or item that is undone.
    pub of: NodeIx,
    /// Number of the rollback.
    pub rollback: u32,
    /// The action as a task, with its parameters resolved: the output they may refer to is dropped by the rollback.
    pub task: Task,
}

impl Undo {
    fn new(of: NodeIx, name: String, rollback: u32, compensation: &Compensation, params: Arc<Value>) -> Undo {
        let task = Task {
            id: name,
            agent: compensation.agent.clone(),
            action: compensation.action.clone(),
            params: Template::literal(params),
            depends_on: Vec::new(),
            when: None,
            for_each: None,
            trigger: Trigger::AllSuccess,
            retry: RetrySpec::default(),
            timeout_ms: None,
            resources: ResourceSpec::default(),
            priority: None,
            pools: Vec::new(),
            // To leave something undone is for a person to decide.
            on_denied: Some(OnDenied::Hold),
            compensate: None,
            cache: false,
            sla: SlaSpec::default(),
        };
        Undo { of, rollback, task }
    }
}

impl RunState {
    /// The run's rollbacks, oldest first.
    pub fn rollbacks(&self) -> &[Rollback] {
        &self.rollbacks
    }

    /// The rollback that has not undone everything yet. There is at most one, the last.
    pub fn unfinished_rollback(&self) -> Option<&Rollback> {
        self.rollbacks.last().filter(|rollback| rollback.open > 0)
    }

    /// Whether a task has to wait until a rollback has undone everything.
    pub fn waits_for_rollback(&self, node: NodeIx) -> bool {
        self.unfinished_rollback()
            .is_some_and(|rollback| rollback.set.contains(&node))
    }

    /// How far a rollback of this run has got.
    pub fn progress_of(&self, rollback: &Rollback) -> Progress {
        match self.next_undo(rollback) {
            None => Progress::Done,
            Some(undo) if self.status.is_terminal() => Progress::Cancelled(undo),
            Some(undo) if self.node(undo).status.is_terminal() => Progress::Stopped(undo),
            Some(undo) => Progress::Compensating(undo),
        }
    }

    /// The first action of a rollback that has not succeeded.
    pub(super) fn next_undo(&self, rollback: &Rollback) -> Option<NodeIx> {
        let is_open = |undo: &&NodeIx| self.node(**undo).status != TaskStatus::Success;
        // Those before it are done: the number left says where it is.
        let done = rollback.undos.len().saturating_sub(rollback.open as usize);
        rollback.undos[done..].iter().find(is_open).copied()
    }

    /// The item a node works on, or undoes the work on: with its index.
    pub fn item_of(&self, node: NodeIx) -> Option<(&Value, u32)> {
        let entry = self.node(node);
        let of = entry.undoes.as_ref().map_or(entry, |undo| self.node(undo.of));
        of.child_of.as_ref().map(|child| (&child.item, child.index))
    }

    /// The inverse of [`undo_name`].
    pub(super) fn find_undo(&self, name: &str) -> Option<NodeIx> {
        let (of, number) = name.strip_prefix("undo:")?.rsplit_once('#')?;
        let number: usize = number.parse().ok()?;
        let rollback = self.rollbacks.get(number.checked_sub(1)?)?;
        let undoes = |undo: &&NodeIx| {
            let undone = self.node(**undo).undoes.as_ref();
            undone.is_some_and(|undone| self.name_of(undone.of) == of)
        };
        rollback.undos.iter().find(undoes).copied()
    }
}

/// `undo:train#1`: what the first rollback has to undo of `train`. No task has such a name.
pub fn undo_name(of: &str, rollback: u32) -> String {
    format!("undo:{of}#{rollback}")
}
