//! What must always be true of a run. Checked after every step of the simulator, in tests, and in debug builds.

use std::collections::BTreeSet;

use super::rollback::Progress;
use super::state::{RunState, Upstream};
use super::status::{RunStatus, TaskStatus};
use crate::ids::NodeIx;
use crate::workflow::Trigger;

/// A broken invariant: its name, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{id} broken: {seen}")]
pub struct Violation {
    /// The invariant, as in `RUN-1`.
    pub id: &'static str,
    /// What was seen.
    pub seen: String,
}

fn ensure(holds: bool, id: &'static str, seen: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation { id, seen: seen() })
    }
}

/// Checks everything that concerns one run, in time linear in its tasks and edges.
///
/// # Errors
/// With the first broken invariant.
pub fn check(state: &RunState) -> Result<(), Violation> {
    for index in 0..state.nodes().len() {
        let node = NodeIx::new(index);
        check_trigger(state, node)?;
        check_node(state, node)?;
    }
    check_counts(state)?;
    check_rollback(state)?;
    check_deadlines(state)?;
    check_end(state)
}

/// Checks that replaying the journal gave `replayed`, the same as living through it gave `live` (RUN-5).
///
/// # Errors
/// With the first difference.
pub fn check_replay(live: &RunState, replayed: &RunState) -> Result<(), Violation> {
    ensure(live.status == replayed.status, "RUN-5", || {
        format!("{} != {}", live.status, replayed.status)
    })?;
    ensure(live.priority == replayed.priority, "RUN-5", || {
        "priorities differ".to_owned()
    })?;
    ensure(live.watch == replayed.watch, "RUN-5", || {
        "the clocks of the run differ".to_owned()
    })?;
    ensure(live.choices == replayed.choices, "RUN-5", || {
        "choices differ".to_owned()
    })?;
    for (index, (left, right)) in live.nodes.iter().zip(&replayed.nodes).enumerate() {
        ensure(left == right, "RUN-5", || {
            format!("node {index}: {left:?} != {right:?}")
        })?;
    }
    ensure(live.nodes.len() == replayed.nodes.len(), "RUN-5", || {
        "node counts differ".to_owned()
    })?;
    ensure(live.rollbacks == replayed.rollbacks, "RUN-5", || {
        "rollbacks differ".to_owned()
    })?;
    ensure(live.index == replayed.index, "RUN-5", || {
        "indexes differ".to_owned()
    })
}

/// RUN-1: no task is QUEUED or RUNNING unless its trigger is satisfied.
fn check_trigger(state: &RunState, node: NodeIx) -> Result<(), Violation> {
    let entry = state.node(node);
    if entry.child_of.is_some()
        || entry.undoes.is_some()
        || !matches!(entry.status, TaskStatus::Queued | TaskStatus::Running)
    {
        return Ok(());
    }
    let task = state.workflow.task(node);
    let total = task.depends_on.len() as u32;
    let Upstream {
        succeeded, failed, ..
    } = entry.upstream;
    let ended = entry.upstream.ended();
    let satisfied = match task.trigger {
        Trigger::AllSuccess => succeeded == total,
        Trigger::AllDone => ended == total,
        Trigger::AnySuccess => total == 0 || succeeded > 0,
        Trigger::NoneFailed => ended == total && failed == 0,
    };
    ensure(satisfied, "RUN-1", || {
        format!(
            "{} is {} with upstream {:?}",
            task.id, entry.status, entry.upstream
        )
    })
}

/// RUN-2 and RUN-4, and that derived counts agree with the graph.
fn check_node(state: &RunState, node: NodeIx) -> Result<(), Violation> {
    let entry = state.node(node);
    let is_live = matches!(entry.status, TaskStatus::Queued | TaskStatus::Running) && entry.group.is_none();
    ensure(state.is_live(node) == is_live, "RUN-2", || {
        format!("{}: live set disagrees", state.name_of(node))
    })?;
    ensure(!is_live || entry.choice.is_some(), "RUN-4", || {
        format!("{} was dispatched without a choice", state.name_of(node))
    })?;
    let is_hit = entry.reused().is_some();
    ensure(
        !is_hit || entry.retired || !state.is_taken_back(node),
        "CACHE-1",
        || {
            format!(
                "{} was taken back and is answered from the cache",
                state.name_of(node)
            )
        },
    )?;
    if entry.child_of.is_some() || entry.undoes.is_some() {
        return Ok(());
    }
    let mut expected = Upstream::default();
    for upstream in &state.workflow.task(node).depends_on {
        match state.node(*upstream).status {
            TaskStatus::Success => expected.succeeded += 1,
            TaskStatus::Skipped => expected.skipped += 1,
            TaskStatus::Failed | TaskStatus::Cancelled => expected.failed += 1,
            _ => {}
        }
    }
    ensure(entry.upstream == expected, "FANIN", || {
        format!(
            "{}: counted {:?}, really {expected:?}",
            state.name_of(node),
            entry.upstream
        )
    })?;
    let Some(group) = entry.group else { return Ok(()) };
    let children = || group.children().map(|child| state.node(child));
    let open = children().filter(|child| !child.status.is_terminal()).count() as u32;
    ensure(group.open == open, "FANIN", || {
        format!("{}: {} open, really {open}", state.name_of(node), group.open)
    })
}

fn check_counts(state: &RunState) -> Result<(), Violation> {
    let takes_part = || state.nodes().iter().filter(|node| !node.retired);
    let open = takes_part().filter(|node| !node.status.is_terminal()).count() as u32;
    ensure(state.open() == open, "FANIN", || {
        format!("{} open, really {open}", state.open())
    })?;
    for node in state.nodes() {
        let waits = matches!(node.status, TaskStatus::RetryWait);
        ensure(!waits || node.due_at.is_some(), "LIVE-1", || {
            "a retry has no due time".to_owned()
        })?;
    }
    Ok(())
}

/// RB-1: while a rollback has something to undo, it undoes one thing at a time, in order, and neither its seeds nor anything
/// downstream of them moves.
fn check_rollback(state: &RunState) -> Result<(), Violation> {
    for rollback in state.rollbacks() {
        let succeeded = |undo: &&NodeIx| state.node(**undo).status == TaskStatus::Success;
        let done = rollback.undos.iter().take_while(succeeded).count();
        let all = rollback.undos.iter().filter(succeeded).count();
        let open = rollback.undos.len() - all;
        ensure(done == all && rollback.open as usize == open, "RB-1", || {
            format!(
                "rollback {}: {open} of its actions are open, it counts {}",
                rollback.number, rollback.open
            )
        })?;
        let later = rollback.undos.iter().skip(done + 1);
        for undo in later {
            let status = state.node(*undo).status;
            let waits = matches!(status, TaskStatus::Pending | TaskStatus::Cancelled);
            ensure(waits, "RB-1", || {
                format!("{} is {status} before its turn", state.name_of(*undo))
            })?;
        }
    }
    let Some(rollback) = state.unfinished_rollback() else {
        return Ok(());
    };
    let is_over = state.status.is_terminal();
    for node in state.workflow.downstream_closure(&rollback.asked.seeds) {
        let status = state.node(node).status;
        let waits = status == TaskStatus::Pending || (is_over && status == TaskStatus::Cancelled);
        ensure(waits, "RB-1", || {
            format!(
                "{} is {status} while rollback {} undoes what was done",
                state.name_of(node),
                rollback.number
            )
        })?;
    }
    let is_stated = match state.progress_of(rollback) {
        Progress::Done => false,
        Progress::Compensating(undo) => state.node(undo).status != TaskStatus::Pending,
        Progress::Stopped(_) => state.status == RunStatus::Paused,
        Progress::Cancelled(_) => is_over,
    };
    ensure(is_stated, "RB-1", || {
        format!("rollback {} neither goes on nor says why", rollback.number)
    })
}

/// SLA-1, as far as the state tells: the index of deadlines agrees with the clocks, and what is late goes on.
fn check_deadlines(state: &RunState) -> Result<(), Violation> {
    let nodes = (0..state.nodes().len()).map(NodeIx::new);
    let nexts = nodes.filter_map(|node| Some((state.node(node).watch.next?, Some(node))));
    let nexts: BTreeSet<_> = nexts.chain(state.watch.next.map(|at| (at, None))).collect();
    ensure(nexts == state.index.deadlines, "SLA-1", || {
        format!("deadlines {:?}, really {nexts:?}", state.index.deadlines)
    })?;
    for (key, _) in state.violations() {
        let goes_on = match key.node {
            None => !state.status.is_terminal() && key.epoch == state.watch.opened,
            Some(node) => {
                let entry = state.node(node);
                !entry.status.is_terminal() && entry.epoch == key.epoch && !entry.retired
            }
        };
        ensure(goes_on, "SLA-1", || {
            format!("{key:?} has ended and is not resolved")
        })?;
    }
    Ok(())
}

/// RUN-3: a terminal run has no live attempt, and a run with nothing left to do is terminal.
fn check_end(state: &RunState) -> Result<(), Violation> {
    let live = state.live().count();
    ensure(
        !state.status.is_terminal() || (live == 0 && state.open() == 0),
        "RUN-3",
        || {
            format!(
                "the run is {} with {live} live attempts and {} open tasks",
                state.status,
                state.open()
            )
        },
    )?;
    let is_going = matches!(state.status, RunStatus::Running | RunStatus::Paused);
    ensure(!is_going || state.open() > 0, "LIVE-1", || {
        "nothing is open, yet the run goes on".to_owned()
    })
}
