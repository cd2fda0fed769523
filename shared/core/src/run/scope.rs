//! What expressions and references see of a run.

use serde_json::Value;

use super::state::RunState;
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
        self.state.output_of(self.state.workflow.find(task)?)
    }

    fn status(&self, task: &str) -> Option<&'static str> {
        Some(self.state.node(self.state.workflow.find(task)?).status.as_str())
    }

    fn item(&self) -> Option<(&Value, u32)> {
        self.state.item_of(self.node)
    }

    fn run(&self) -> &Value {
        self.state.facts()
    }
}
