//! What the events of a rollback change.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Rollback, RolledBack, Undo, undo_name};
use crate::ids::NodeIx;
use crate::run::state::{Node, RunState};
use crate::run::status::TaskStatus;
use crate::time::Timestamp;

impl RunState {
    pub(in crate::run) fn rolled_back(&mut self, asked: &Arc<RolledBack>, at: Timestamp) {
        let set = self.workflow.downstream_closure(&asked.seeds);
        if asked.request.fresh {
            for node in &set {
                self.nodes[node.index()].checkpoint = None;
            }
        }
        self.rollbacks.push(Rollback {
            number: u32::try_from(self.rollbacks.len() + 1).unwrap_or(u32::MAX),
            asked: Arc::clone(asked),
            at,
            undos: Vec::new(),
            open: asked.compensations,
            set: match asked.compensations {
                0 => BTreeSet::new(),
                _ => set.into_iter().collect(),
            },
        });
    }

    /// The action becomes a node of the last rollback.
    pub(in crate::run) fn compensation_planned(&mut self, of: NodeIx, params: &Arc<Value>) {
        let node = NodeIx::new(self.nodes.len());
        let number = u32::try_from(self.rollbacks.len()).unwrap_or(u32::MAX);
        let name = undo_name(&self.name_of(of), number);
        let compensation = self.task_of(of).compensate.as_ref();
        let compensation =
            compensation.expect("only tasks that say how to undo them are planned to be undone");
        let undo = Undo::new(of, name, number, compensation, Arc::clone(params));
        self.nodes.push(Node {
            epoch: 1,
            undoes: Some(Arc::new(undo)),
            ..Node::default()
        });
        self.index.open += 1;
        let rollback = self.rollbacks.last_mut();
        rollback
            .expect("the rollback is recorded before its actions")
            .undos
            .push(node);
    }

    /// Counts the end of an action in its rollback, or takes it back; the last one lets the tasks go.
    pub(in crate::run) fn count_undo(&mut self, undo: &Undo, status: TaskStatus, add: bool) {
        let rollback = &mut self.rollbacks[undo.rollback as usize - 1];
        if status != TaskStatus::Success {
            return;
        }
        match add {
            true => rollback.open -= 1,
            false => rollback.open += 1,
        }
        if rollback.open == 0 {
            rollback.set = BTreeSet::new();
        }
    }
}
