//! What undoes a task, with its parameters resolved.

use serde_json::Value;

use super::plan::{PlannedCompensation, parts_of};
use crate::ids::NodeIx;
use crate::run::rejection::Rejection;
use crate::run::scope::NodeScope;
use crate::run::state::RunState;
use crate::run::status::TaskStatus;
use crate::workflow::expression::Scope;

/// Adds what undoes the successful parts of a task, the last item first.
pub(super) fn compensate(
    state: &RunState,
    node: NodeIx,
    into: &mut Vec<PlannedCompensation>,
) -> Result<(), Rejection> {
    let Some(compensation) = &state.workflow.task(node).compensate else {
        return Ok(());
    };
    let succeeded = |part: &NodeIx| state.node(*part).status == TaskStatus::Success;
    for of in parts_of(state.node(node), node).rev().filter(succeeded) {
        let scope = UndoScope { state, of };
        let params = compensation
            .params
            .resolve(&scope)
            .map_err(|error| Rejection::CannotUndo {
                task: state.name_of(of),
                why: error.to_string(),
            })?;
        into.push(PlannedCompensation {
            of,
            agent: compensation.agent.clone(),
            action: compensation.action.clone(),
            params,
        });
    }
    Ok(())
}

/// What the parameters of an action that undoes `of` see: what `of` saw, and its own output.
struct UndoScope<'a> {
    state: &'a RunState,
    of: NodeIx,
}

impl UndoScope<'_> {
    fn outer(&self) -> NodeScope<'_> {
        self.state.scope(self.of)
    }
}

impl Scope for UndoScope<'_> {
    fn inputs(&self) -> &Value {
        &self.state.submission.inputs
    }

    fn output(&self, task: &str) -> Option<&Value> {
        let node = match self.state.task_of(self.of).id == task {
            true => self.of,
            false => self.state.workflow.find(task)?,
        };
        self.state.output_of(node)
    }

    fn status(&self, task: &str) -> Option<&'static str> {
        self.outer().status(task)
    }

    fn item(&self) -> Option<(&Value, u32)> {
        self.state.item_of(self.of)
    }

    fn run(&self) -> &Value {
        self.state.facts()
    }
}
