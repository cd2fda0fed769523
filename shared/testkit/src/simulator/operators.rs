//! Operators: they cancel, pause, resume, retry, rerun, take back, approve, reject and change priorities, sensibly or not.

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::HoldReason;
use orchestrator_core::run::rollback::Progress;
use orchestrator_core::run::{Command, RunState, RunStatus};

use super::rollbacks;
use super::world::World;
use crate::random::Random;

impl World {
    /// An operator does something to some run.
    pub(super) fn operate(&mut self) {
        let runs = self.oracle.runs();
        if runs.is_empty() {
            return;
        }
        let run = *self.random.pick(&runs);
        if self.handlers.iter().any(|handler| handler.run == run) && self.is_one_at_a_time() {
            return;
        }
        let command = draw(&mut self.random, self.oracle.state(run));
        self.start_operator(run, command);
    }

    fn is_one_at_a_time(&self) -> bool {
        self.composition == super::Composition::Embedded
    }
}

fn draw(random: &mut Random, state: &RunState) -> Command {
    let by = "operator".to_owned();
    let node = NodeIx(u32::try_from(random.index(state.nodes().len() + 1)).unwrap_or(0));
    // Seldom seen, so done first.
    if let Some(rollback) = state.unfinished_rollback()
        && let Progress::Stopped(node) = state.progress_of(rollback)
        && random.chance(900)
    {
        return Command::Approve { node, by };
    }
    let held = waiting_for_a_person(state);
    if !held.is_empty() && random.chance(600) {
        let node = *random.pick(&held);
        return match random.chance(700) {
            true => Command::Approve { node, by },
            false => Command::Reject {
                node,
                by,
                reason: "no".to_owned(),
            },
        };
    }
    if state.status == RunStatus::Paused && random.chance(500) {
        return Command::Resume { by };
    }
    match random.below(21) {
        0 => Command::Cancel {
            by,
            reason: "enough".to_owned(),
        },
        1..=3 => Command::Pause { by },
        4 => Command::Resume { by },
        5..=7 => Command::Retry { by },
        8..=10 => Command::Rerun { node, by },
        11 => Command::Approve { node, by },
        12 => Command::Reject {
            node,
            by,
            reason: "no".to_owned(),
        },
        13..=17 => rollbacks::draw(random, state, node),
        _ => Command::SetPriority {
            by,
            priority: u8::try_from(random.range(1, 10)).unwrap_or(5),
        },
    }
}

/// Tasks that only a person can move.
pub(super) fn waiting_for_a_person(state: &RunState) -> Vec<NodeIx> {
    let by_person = |node: &NodeIx| {
        let hold = state.node(*node).hold;
        matches!(
            hold,
            Some(HoldReason::Approval | HoldReason::Policy | HoldReason::Denied)
        )
    };
    state.held().filter(by_person).collect()
}
