//! What ends from our side and what starts over: fences, new epochs, items left behind.

use super::event::FailureClass;
use super::state::{Node, RunState};
use super::status::TaskStatus;
use crate::ids::NodeIx;

impl RunState {
    /// Back to PENDING in a new epoch; whatever was live is fenced, whatever was expanded is retired.
    pub(super) fn reset(&mut self, node: NodeIx) {
        self.fence(node);
        let is_taken_back = self.take_back_results(node);
        if let Some(group) = self.nodes[node.index()].group {
            group.children().for_each(|child| self.retire(child));
        }
        self.enter(node, TaskStatus::Pending);
        self.set_due(node, None);
        self.rewatch(Some(node));
        let entry = &mut self.nodes[node.index()];
        *entry = Node {
            epoch: entry.epoch + 1,
            attempts_total: entry.attempts_total,
            upstream: entry.upstream,
            checkpoint: entry.checkpoint.take(),
            child_of: entry.child_of.take(),
            undoes: entry.undoes.take(),
            is_taken_back,
            ..Node::default()
        };
    }

    fn retire(&mut self, child: NodeIx) {
        self.fence(child);
        self.nodes[child.index()].retired = true;
        if !self.nodes[child.index()].status.is_terminal() {
            self.enter(child, TaskStatus::Cancelled);
            self.set_due(child, None);
            self.rewatch(Some(child));
            self.index.open -= 1;
        }
    }

    /// A timeout or a missed deadline ends the attempt from our side; every other failure is the attempt's own end.
    pub(super) fn fence_unless_reported(&mut self, node: NodeIx, class: FailureClass) {
        if self.is_from_our_side(node, class) {
            self.fence(node);
        }
    }

    /// Remembers that a live attempt was ended from our side.
    pub(super) fn fence(&mut self, node: NodeIx) {
        if self.is_live(node) {
            self.index.fenced.insert(self.attempt_of(node));
        }
    }

    pub(super) fn reopen_group(&mut self, node: NodeIx) {
        self.nodes[node.index()].output = None;
        self.nodes[node.index()].failure = None;
        self.nodes[node.index()].finished_at = None;
        self.enter(node, TaskStatus::Running);
    }
}
