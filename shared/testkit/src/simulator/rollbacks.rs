//! Rollbacks: how operators ask for them, and what must hold of the append that applies one.

use std::collections::BTreeSet;

use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::rollback::{self, Plan, Request, RolledBack, Target};
use orchestrator_core::run::{Command, Event, RunState, TaskStatus};
use orchestrator_core::workflow::Workflow;

use super::coverage::Coverage;
use crate::random::Random;

/// An operator takes a run back, mostly as a preview has just shown it.
pub(super) fn draw(random: &mut Random, state: &RunState, node: NodeIx) -> Command {
    let tasks = state.workflow.tasks.len();
    let any = |random: &mut Random| NodeIx::new(random.index(tasks));
    let target = match random.below(10) {
        0..=4 => Target::Steps(u32::try_from(random.below(tasks as u64 + 1)).unwrap_or(1)),
        5..=6 => Target::ToTask(any(random)),
        7 => Target::ToTask(node),
        _ => Target::Tasks((0..random.below(3)).map(|_| any(random)).collect()),
    };
    let fresh = random.chance(200);
    let request = Request { target, fresh };
    let shown = random
        .chance(600)
        .then(|| rollback::plan(state, &request).ok())
        .flatten();
    Command::Rollback {
        request,
        token: shown.map(|plan| plan.token),
        by: "operator".to_owned(),
        reason: if random.chance(950) { "it was wrong" } else { " " }.to_owned(),
    }
}

/// A rollback that is being applied: the plan, made from the journal alone, against the events that follow.
#[derive(Debug)]
pub(super) struct Applied {
    plan: Plan,
    resets: Vec<NodeIx>,
    undone: Vec<(NodeIx, String)>,
    first_undo: usize,
}

impl Applied {
    /// Just before the rollback is applied.
    ///
    /// # Errors
    /// With the rule that it breaks.
    pub fn begin(
        state: &RunState,
        recorded: &RolledBack,
        coverage: &mut Coverage,
    ) -> Result<Applied, String> {
        let plan = rollback::plan(state, &recorded.request)
            .map_err(|rejection| format!("RB-2 broken: it should have been refused: {rejection}"))?;
        if plan.token != recorded.token || plan.seeds != recorded.seeds {
            return Err(format!("RB-2 broken: {recorded:?} was not planned as {plan:?}"));
        }
        check_closure(state, &plan)?;
        let hit = |coverage: &mut Coverage, happens: bool, name| {
            if happens {
                coverage.hit(name);
            }
        };
        hit(
            coverage,
            plan.tasks.iter().any(|task| !task.stops.is_empty()),
            "rollback stops an attempt",
        );
        hit(
            coverage,
            plan.tasks.iter().any(|task| !task.leaves_line.is_empty()),
            "rollback leaves a line",
        );
        hit(
            coverage,
            plan.tasks.iter().any(|task| task.items > 0),
            "rollback gives items up",
        );
        hit(
            coverage,
            plan.tasks.iter().any(|task| task.checkpoint.is_some()),
            "rollback keeps a checkpoint",
        );
        hit(
            coverage,
            plan.tasks.iter().any(|task| task.drops_checkpoint),
            "rollback drops a checkpoint",
        );
        hit(coverage, plan.reopens.is_some(), "rollback reopens a run");
        hit(
            coverage,
            !plan.resumed.is_empty(),
            "rollback resumes what was cancelled",
        );
        Ok(Applied {
            plan,
            resets: Vec::new(),
            undone: Vec::new(),
            first_undo: state.nodes().len(),
        })
    }

    /// One of the events of the append.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::TaskReset { node } => self.resets.push(*node),
            Event::CompensationPlanned { of, params } => self.undone.push((*of, params.to_string())),
            _ => {}
        }
    }

    /// The append is complete: what happened is what was planned.
    ///
    /// # Errors
    /// With what differs.
    pub fn end(&self, state: &RunState) -> Result<(), String> {
        let plan = &self.plan;
        let broken = |seen: String| Err(format!("RB-2 broken: {seen}; planned: {plan:?}"));
        let planned: BTreeSet<NodeIx> = plan.tasks.iter().map(|task| task.node).collect();
        let set_resets: Vec<NodeIx> = self
            .resets
            .iter()
            .copied()
            .filter(|node| planned.contains(node))
            .collect();
        if set_resets != plan.tasks.iter().map(|task| task.node).collect::<Vec<_>>() {
            return broken(format!("reset were {:?}", self.resets));
        }
        for task in &plan.tasks {
            let entry = state.node(task.node);
            if entry.epoch != task.epoch + 1 || entry.checkpoint != task.checkpoint {
                return broken(format!("{} became {entry:?}", state.name_of(task.node)));
            }
            let stale = |key: &&rollback::PlannedAttempt| {
                state
                    .live()
                    .any(|live| (live.node, live.epoch, live.attempt) == (key.node, key.epoch, key.attempt))
            };
            if let Some(live) = task.stops.iter().find(stale) {
                return broken(format!("{live:?} still lives"));
            }
        }
        let compensations: Vec<(NodeIx, String)> = plan
            .compensations
            .iter()
            .map(|undo| (undo.of, undo.params.to_string()))
            .collect();
        if compensations != self.undone {
            return broken(format!("undone are {:?}", self.undone));
        }
        for (undo, planned) in (self.first_undo..).map(NodeIx::new).zip(&plan.compensations) {
            let task = state.task_of(undo);
            if (&task.agent, &task.action) != (&planned.agent, &planned.action) {
                return broken(format!("{} does {}", task.agent, task.action));
            }
        }
        Ok(())
    }
}

/// RB-1: everything that has been reached downstream of a task that is taken back is taken back, too. Followed edge by edge,
/// not by the function the planner uses.
fn check_closure(state: &RunState, plan: &Plan) -> Result<(), String> {
    let workflow: &Workflow = &state.workflow;
    let mut set: BTreeSet<NodeIx> = plan.seeds.iter().copied().collect();
    loop {
        let depends = |node: &NodeIx| workflow.task(*node).depends_on.iter().any(|up| set.contains(up));
        let more: Vec<NodeIx> = (0..workflow.tasks.len())
            .map(NodeIx::new)
            .filter(|node| !set.contains(node) && depends(node))
            .collect();
        if more.is_empty() {
            break;
        }
        set.extend(more);
    }
    set.retain(|node| state.node(*node).status != TaskStatus::Pending);
    let planned: BTreeSet<NodeIx> = plan.tasks.iter().map(|task| task.node).collect();
    match set == planned {
        true => Ok(()),
        false => Err(format!("RB-1 broken: {planned:?} is not closed, {set:?} is")),
    }
}
