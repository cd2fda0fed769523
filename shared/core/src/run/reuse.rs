//! Reusing results: what became of looking for one, and taking them back.
//!
//! A task with `cache: true` is looked for in the cache whenever the policy allows it. A result that was kept ends it without
//! an attempt; otherwise it is done, and its result is kept under the same key. What was found, and under which key, is in
//! the journal, so that replaying needs no cache. A task that succeeded and starts over (rollback, rerun, retry) is *taken
//! back*: its result is forgotten for everybody, and the task itself never looks for one again, so that it is really done even
//! if the cache could not be told.

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
        self.index.taken_back.keys().copied()
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
        self.index
            .taken_back
            .extend(results.into_iter().map(|key| (key, node)));
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
            self.index.taken_back.remove(&lookup.key);
        }
    }

    /// A task has ended: what it had to forget was forgotten, or is left to expire.
    pub(super) fn needs_forgetting_no_more(&mut self, node: NodeIx) {
        if self.node(node).is_taken_back {
            self.index.taken_back.retain(|_, of| *of != node);
        }
    }
}
