//! Reusing results: what became of looking for one, and taking them back.
//!
//! A task with `cache: true` is looked for in the cache whenever the policy allows it. A result that was kept ends it without
//! an attempt; otherwise it is done, and its result is kept under the same key. What was found, and under which key, is in
//! the journal, so that replaying needs no cache. A task that succeeded and starts over (rollback, rerun, retry) is *taken
//! back*: its result is forgotten for everybody, and the task itself never looks for one again, so that it is really done even
//! if the cache could not be told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::rollback::parts_of;
use super::state::{Node, RunState};
use super::status::TaskStatus;
use crate::ids::{NodeIx, RunId};
use crate::time::Timestamp;

/// SHA-256 of everything a result may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResultKey(pub [u8; 32]);

impl fmt::Display for ResultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What became of looking for a kept result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Where it would be, and where the result of the attempt is kept.
    pub key: ResultKey,
    /// What was there.
    pub found: Found,
}

impl Lookup {
    /// Whether a result was found.
    pub fn is_hit(&self) -> bool {
        matches!(self.found, Found::Kept(_))
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The result of this execution.
    Kept(Origin),
    /// None.
    Nothing,
    /// Nobody looked: the run wants everything done.
    Unwanted,
    /// Nobody looked: a result of the task was taken back.
    TakenBack,
    /// The cache could not be asked, or what it had could not be read.
    Unreachable,
}

impl Found {
    /// The word used in views, metrics and on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Found::Kept(_) => "hit",
            Found::Nothing => "miss",
            Found::Unwanted => "unwanted",
            Found::TakenBack => "taken_back",
            Found::Unreachable => "unreachable",
        }
    }
}

/// The execution a result comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The run.
    pub run: RunId,
    /// The task, as [`RunState::name_of`] prints it.
    pub task: String,
    /// Its epoch.
    pub epoch: u32,
    /// The attempt.
    pub attempt: u32,
    /// When it ended.
    pub at: Timestamp,
    /// How long it ran, milliseconds.
    pub run_ms: u64,
}

/// Results that are to be forgotten, with the tasks they are of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TakenBack {
    by_key: BTreeMap<ResultKey, NodeIx>,
    by_task: BTreeSet<(NodeIx, ResultKey)>,
}

impl TakenBack {
    /// All of them.
    pub fn keys(&self) -> impl Iterator<Item = ResultKey> + '_ {
        self.by_key.keys().copied()
    }

    /// Whether this one is.
    pub fn contains(&self, key: ResultKey) -> bool {
        self.by_key.contains_key(&key)
    }

    /// Two tasks may have made the same: the result is forgotten for the last.
    fn insert(&mut self, key: ResultKey, task: NodeIx) {
        if let Some(before) = self.by_key.insert(key, task) {
            self.by_task.remove(&(before, key));
        }
        self.by_task.insert((task, key));
    }

    fn remove(&mut self, key: ResultKey) {
        if let Some(task) = self.by_key.remove(&key) {
            self.by_task.remove(&(task, key));
        }
    }

    fn remove_of(&mut self, task: NodeIx) {
        let own = (task, ResultKey([0; 32]))..=(task, ResultKey([u8::MAX; 32]));
        let keys: Vec<ResultKey> = self.by_task.range(own).map(|(_, key)| *key).collect();
        for key in keys {
            self.remove(key);
        }
    }
}

impl Node {
    /// The execution whose result this node was given; `None` when it was done, or is not.
    pub fn reused(&self) -> Option<&Origin> {
        match (self.status, self.lookup.as_deref()) {
            (
                TaskStatus::Success,
                Some(Lookup {
                    found: Found::Kept(origin),
                    ..
                }),
            ) => Some(origin),
            _ => None,
        }
    }
}

impl RunState {
    /// Whether a result of this node, or of the task it is an item of, was taken back.
    pub fn is_taken_back(&self, node: NodeIx) -> bool {
        let entry = self.node(node);
        let parent = entry.child_of.as_ref().map(|child| self.node(child.parent));
        entry.is_taken_back || parent.is_some_and(|parent| parent.is_taken_back)
    }

    /// Results that are to be forgotten, because their tasks start over.
    pub fn taken_back(&self) -> impl Iterator<Item = ResultKey> + '_ {
        self.index.taken_back.keys()
    }

    /// The keys under which results of a task and its items are kept.
    pub(super) fn results_of(&self, node: NodeIx) -> Vec<ResultKey> {
        let kept = |part: NodeIx| {
            let entry = self.node(part);
            let lookup = entry.lookup.as_ref()?;
            (entry.status == TaskStatus::Success).then_some(lookup.key)
        };
        parts_of(self.node(node), node).filter_map(kept).collect()
    }

    /// Before a task starts over: its results are to be forgotten. Whether it is really done from now on.
    pub(super) fn take_back_results(&mut self, node: NodeIx) -> bool {
        let results = self.results_of(node);
        let is_taken_back = self.node(node).is_taken_back || !results.is_empty();
        for key in results {
            self.index.taken_back.insert(key, node);
        }
        is_taken_back
    }

    /// A node is given what another execution of the same has made.
    pub(super) fn reuse(
        &mut self,
        node: NodeIx,
        choice: u32,
        lookup: &Arc<Lookup>,
        output: Option<&Arc<Value>>,
    ) {
        let entry = &mut self.nodes[node.index()];
        entry.choice = Some(choice);
        entry.lookup = Some(Arc::clone(lookup));
        entry.output = output.cloned();
        entry.usage = Vec::new();
        entry.queued_at = None;
        entry.started_at = None;
        entry.progress = None;
    }

    /// The result that was taken back has been made again, and takes the place of the old one.
    pub(super) fn is_done_again(&mut self, node: NodeIx) {
        if let Some(lookup) = &self.nodes[node.index()].lookup {
            self.index.taken_back.remove(lookup.key);
        }
    }

    /// A task has ended: what it had to forget was forgotten, or is left to expire.
    pub(super) fn needs_forgetting_no_more(&mut self, node: NodeIx) {
        if self.node(node).is_taken_back {
            self.index.taken_back.remove_of(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_forgotten_is_known_by_key_and_by_task() {
        let key = |number: u8| ResultKey([number; 32]);
        let [first, second] = [NodeIx(1), NodeIx(2)];
        let mut taken_back = TakenBack::default();
        for (number, task) in [(0, first), (u8::MAX, first), (3, second), (4, first), (4, second)] {
            taken_back.insert(key(number), task);
        }
        taken_back.remove_of(first);
        assert_eq!(taken_back.keys().collect::<Vec<_>>(), [key(3), key(4)]);
        taken_back.remove(key(3));
        taken_back.remove_of(second);
        assert_eq!(taken_back, TakenBack::default());
    }
}
