//! The planner: what exactly a rollback will do. Pure, and the only place that knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::compensate::compensate;
use super::{PlanToken, Request, Target};
use crate::ids::NodeIx;
use crate::run::checkpoint::Checkpoint;
use crate::run::rejection::Rejection;
use crate::run::state::{Node, RunState};
use crate::run::status::{RunStatus, TaskStatus};
use crate::workflow::Workflow;

/// Everything a rollback will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// What was asked.
    pub request: Request,
    /// The state of a run that has ended and goes on; its deadlines start over.
    pub reopens: Option<RunStatus>,
    /// The tasks it starts from, the first step first.
    pub seeds: Vec<NodeIx>,
    /// The tasks that go back to PENDING in a new epoch, upstream first.
    pub tasks: Vec<PlannedTask>,
    /// What is undone first, in this order, one after the other.
    pub compensations: Vec<PlannedCompensation>,
    /// Tasks beside them that were cancelled with the run and go on, upstream first.
    pub resumed: Vec<ResumedTask>,
    /// Run time of the successful attempts whose work is done again, milliseconds.
    pub redo_ms: u64,
    /// Stands for all of this.
    #[serde(skip)]
    pub token: PlanToken,
}

/// A task that is taken back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedTask {
    /// The task.
    pub node: NodeIx,
    /// What it is; it will be PENDING.
    pub status: TaskStatus,
    /// Its epoch; it will be one more.
    pub epoch: u32,
    /// Why it is in the set.
    pub why: Why,
    /// The tasks of the set it directly depends on.
    pub upstream: Vec<NodeIx>,
    /// Its live attempts, and those of its items: fenced and stopped.
    pub stops: Vec<PlannedAttempt>,
    /// Those of its attempts that stand in line for a slot and leave the line.
    pub leaves_line: Vec<NodeIx>,
    /// The checkpoint its next attempt gets.
    pub checkpoint: Option<Arc<Checkpoint>>,
    /// Whether it has a checkpoint and loses it.
    pub drops_checkpoint: bool,
    /// Size of the output that is dropped, bytes of JSON.
    pub output_bytes: Option<u64>,
    /// Whether a memoised result is dropped with it.
    pub drops_cached: bool,
    /// Items of a `for_each` that are given up; it fans out again.
    pub items: u32,
    /// Run time of its successful attempts, milliseconds.
    pub redo_ms: u64,
}

/// Why a task is in the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is among the last tasks that succeeded: 1 is the last.
    Step(u32),
    /// It was named.
    Named,
    /// It depends on a task of the set.
    Downstream,
}

/// A live attempt that is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PlannedAttempt {
    /// The task or item.
    pub node: NodeIx,
    /// Its epoch.
    pub epoch: u32,
    /// The attempt.
    pub attempt: u32,
}

/// An action that undoes something before anything is done again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedCompensation {
    /// The task or item that is undone.
    pub of: NodeIx,
    /// The agent.
    pub agent: String,
    /// The action.
    pub action: String,
    /// Its parameters, with every reference resolved.
    pub params: Arc<Value>,
}

/// A task that was cancelled with the run, or waited for one that was, and goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ResumedTask {
    /// The task.
    pub node: NodeIx,
    /// What it is.
    pub status: TaskStatus,
    /// Whether it is a `for_each` task that keeps the items that succeeded.
    pub keeps_items: bool,
}

/// Plans a rollback.
///
/// # Errors
/// With the reason why it cannot be done.
pub fn plan(state: &RunState, request: &Request) -> Result<Plan, Rejection> {
    refuse_by_status(state)?;
    let seeds = seeds(state, &request.target)?;
    let workflow = Arc::clone(&state.workflow);
    let closure = workflow.downstream_closure(&seeds);
    let set: BTreeSet<NodeIx> = closure.iter().copied().collect();
    let reached = || {
        closure
            .iter()
            .copied()
            .filter(|node| state.node(*node).status != TaskStatus::Pending)
    };
    let places: BTreeMap<NodeIx, u32> = seeds.iter().copied().zip(1..).collect();
    let planned = |node| planned_task(state, request, &places, &set, node);
    let tasks: Vec<PlannedTask> = reached().map(planned).collect();
    let mut compensations = Vec::new();
    for node in reached().rev() {
        compensate(state, node, &mut compensations)?;
    }
    let was_cancelled = |status| status == TaskStatus::Cancelled;
    let resumed = match state.status {
        RunStatus::Cancelled | RunStatus::Failed => resumed(state, was_cancelled, &set),
        _ => Vec::new(),
    };
    let mut plan = Plan {
        request: request.clone(),
        reopens: state.status.is_terminal().then_some(state.status),
        seeds,
        redo_ms: tasks.iter().map(|task| task.redo_ms).sum(),
        tasks,
        compensations,
        resumed,
        token: PlanToken([0; PlanToken::BYTES]),
    };
    let content = serde_json::to_vec(&plan).expect("a plan is plain data with text keys");
    plan.token = PlanToken::of(state.id(), &content);
    Ok(plan)
}

fn refuse_by_status(state: &RunState) -> Result<(), Rejection> {
    let actual = state.status;
    if matches!(
        actual,
        RunStatus::Pending | RunStatus::Translating | RunStatus::NeedsReview
    ) {
        let needed = "a run that has begun";
        return Err(Rejection::WrongRunStatus { actual, needed });
    }
    match state.unfinished_rollback() {
        Some(rollback) => Err(Rejection::RollbackUnfinished(rollback.number)),
        None => Ok(()),
    }
}

fn seeds(state: &RunState, target: &Target) -> Result<Vec<NodeIx>, Rejection> {
    match target {
        Target::Steps(0) => Err(Rejection::NoSteps),
        Target::Steps(steps) => last_steps(state, *steps),
        Target::ToTask(node) => named(state, &[*node]),
        Target::Tasks(nodes) if nodes.is_empty() => Err(Rejection::NoSteps),
        Target::Tasks(nodes) => named(state, nodes),
    }
}

/// The last tasks that succeeded, by the time they ended; of those that ended together, what is further downstream first.
fn last_steps(state: &RunState, steps: u32) -> Result<Vec<NodeIx>, Rejection> {
    let succeeded = |node: &&NodeIx| state.node(**node).status == TaskStatus::Success;
    let mut done: Vec<NodeIx> = state
        .workflow
        .topological()
        .iter()
        .rev()
        .filter(succeeded)
        .copied()
        .collect();
    let available = u32::try_from(done.len()).unwrap_or(u32::MAX);
    if steps > available {
        return Err(Rejection::TooManySteps {
            asked: steps,
            available,
        });
    }
    done.sort_by_key(|node| std::cmp::Reverse(state.node(*node).finished_at));
    done.truncate(steps as usize);
    Ok(done)
}

/// Tasks, each once, that have been reached.
fn named(state: &RunState, nodes: &[NodeIx]) -> Result<Vec<NodeIx>, Rejection> {
    let mut seeds: Vec<NodeIx> = Vec::with_capacity(nodes.len());
    let mut seen = BTreeSet::new();
    for &node in nodes {
        let Some(entry) = state.get(node) else {
            return Err(Rejection::UnknownTask(format!("node {}", node.0)));
        };
        let task = state.name_of(node);
        if entry.child_of.is_some() || entry.undoes.is_some() {
            let needed = "a task of the workflow";
            return Err(Rejection::NotATask { name: task, needed });
        }
        if entry.status == TaskStatus::Pending {
            return Err(Rejection::WrongTaskStatus {
                task,
                actual: entry.status,
                needed: "a task that has been reached",
            });
        }
        if seen.insert(node) {
            seeds.push(node);
        }
    }
    Ok(seeds)
}

fn planned_task(
    state: &RunState,
    request: &Request,
    places: &BTreeMap<NodeIx, u32>,
    set: &BTreeSet<NodeIx>,
    node: NodeIx,
) -> PlannedTask {
    let entry = state.node(node);
    let parts = || parts_of(entry, node);
    let why = match (places.get(&node), &request.target) {
        (Some(step), Target::Steps(_)) => Why::Step(*step),
        (Some(_), _) => Why::Named,
        (None, _) => Why::Downstream,
    };
    PlannedTask {
        node,
        status: entry.status,
        epoch: entry.epoch,
        why,
        upstream: state
            .workflow
            .task(node)
            .depends_on
            .iter()
            .copied()
            .filter(|up| set.contains(up))
            .collect(),
        stops: parts()
            .filter(|part| state.is_live(*part))
            .map(|part| attempt_of(state, part))
            .collect(),
        leaves_line: parts()
            .filter(|part| state.node(*part).waits_for_pool())
            .collect(),
        checkpoint: entry.checkpoint.clone().filter(|_| !request.fresh),
        drops_checkpoint: request.fresh && entry.checkpoint.is_some(),
        output_bytes: entry.output.as_deref().map(size_of),
        drops_cached: state.workflow.task(node).cache
            && parts().any(|part| state.node(part).status == TaskStatus::Success),
        items: entry.group.map_or(0, |group| group.count),
        redo_ms: parts().map(|part| run_time(state.node(part))).sum(),
    }
}

/// The nodes that do the work of a task: its items, or itself.
pub(in crate::run) fn parts_of(entry: &Node, node: NodeIx) -> impl DoubleEndedIterator<Item = NodeIx> {
    let itself = entry.group.is_none().then_some(node);
    let items = entry.group.into_iter().flat_map(|group| group.children());
    itself.into_iter().chain(items)
}

fn attempt_of(state: &RunState, node: NodeIx) -> PlannedAttempt {
    let key = state.attempt_of(node);
    PlannedAttempt {
        node,
        epoch: key.epoch,
        attempt: key.attempt,
    }
}

/// How long the attempt that succeeded has run, wherever it did.
fn run_time(entry: &Node) -> u64 {
    if let Some(origin) = entry.reused() {
        return origin.run_ms;
    }
    match (entry.status, entry.started_at, entry.finished_at) {
        (TaskStatus::Success, Some(started), Some(finished)) => finished.millis_since(started),
        _ => 0,
    }
}

/// The tasks that start over because they or what they depend on ended badly, outside `except`, upstream first.
pub(in crate::run) fn resumed(
    state: &RunState,
    ended_badly: impl Fn(TaskStatus) -> bool,
    except: &BTreeSet<NodeIx>,
) -> Vec<ResumedTask> {
    let workflow: &Workflow = &state.workflow;
    let seeds: Vec<NodeIx> = (0..workflow.tasks.len())
        .map(NodeIx::new)
        .filter(|node| ended_badly(state.node(*node).status))
        .collect();
    let members = workflow.downstream_closure(&seeds);
    let member_set: BTreeSet<NodeIx> = members.iter().copied().collect();
    let starts_over = |node: &NodeIx| member_set.contains(node) || except.contains(node);
    let one = |node: NodeIx| {
        let entry = state.node(node);
        let keeps_its_list = !workflow.task(node).depends_on.iter().any(starts_over);
        ResumedTask {
            node,
            status: entry.status,
            keeps_items: keeps_its_list && entry.group.is_some_and(|group| group.failed > 0),
        }
    };
    let wanted = members.into_iter().filter(|node| !except.contains(node));
    wanted
        .map(one)
        .filter(|task| task.status != TaskStatus::Pending)
        .collect()
}

fn size_of(value: &Value) -> u64 {
    struct Counter(u64);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("counting bytes does not fail");
    counter.0
}
