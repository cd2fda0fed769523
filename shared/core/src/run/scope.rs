//! What expressions and references see of a run.

use serde_json::Value;

use super::state::RunState;
use super::status::TaskStatus;
use crate::ids::NodeIx;
use crate::workflow::expression::Scope;

/// A run seen from one of its nodes.
#[derive(Clone, Copy)]
pub struct NodeScope<'a> {
    state: &'a RunState,
    node: NodeIx,
}

impl<'a> NodeScope<'a> {
    pub(super) fn new(state: &'a RunState, node: NodeIx) -> NodeScope<'a> {
        NodeScope { state, node }
    }
}

impl Scope for NodeScope<'_> {
    fn inputs(&self) -> &Value {
        &self.state.submission.inputs
    }

    fn output(&self, task: &str) -> Option<&Value> {
        let node = self.state.node(self.state.workflow.find(task)?);
        match (&node.output, node.status) {
            (Some(output), _) => Some(output),
            (None, TaskStatus::Success) => Some(&Value::Null),
            (None, _) => None,
        }
    }

    fn status(&self, task: &str) -> Option<&'static str> {
        Some(self.state.node(self.state.workflow.find(task)?).status.as_str())
    }

    fn item(&self) -> Option<(&Value, u32)> {
        self.state
            .node(self.node)
            .child_of
            .as_ref()
            .map(|child| (&child.item, child.index))
    }

    fn run(&self) -> &Value {
        self.state.facts()
    }
}
