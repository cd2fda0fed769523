//! Results that were reused, or could have been.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Found, Lookup, Node, Origin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;

/// What became of looking for the result of a task that may be reused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskCache")]
pub struct CacheView {
    /// `hit`: the result was kept, and no attempt was made. `miss`: none was kept. `unwanted`: the run wants everything done.
    /// `taken_back`: an earlier result of the task was taken back. `unreachable`: the cache could not be asked.
    pub outcome: String,
    /// SHA-256 of everything the result may depend on, in hexadecimal.
    pub key: String,
    /// The execution the result comes from, for a hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<OriginView>,
}

/// The execution a result comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskCacheOrigin")]
pub struct OriginView {
    /// Its run.
    #[schemars(with = "String")]
    pub run_id: RunId,
    /// Its task or item.
    pub task: String,
    /// Epoch of the task.
    pub epoch: u32,
    /// Attempt within the epoch.
    pub attempt: u32,
    /// When it ended.
    pub finished_at: At,
    /// How long it ran: the time that was saved.
    pub duration_ms: u64,
}

impl CacheView {
    /// What became of it for a node; `None`: its result is not to be reused, or nobody has looked yet.
    pub fn of(entry: &Node) -> Option<CacheView> {
        entry.lookup.as_deref().map(CacheView::of_lookup)
    }

    /// The view of a lookup.
    pub fn of_lookup(lookup: &Lookup) -> CacheView {
        CacheView {
            outcome: lookup.found.as_str().to_owned(),
            key: lookup.key.to_string(),
            from: match &lookup.found {
                Found::Kept(origin) => Some(OriginView::of(origin)),
                _ => None,
            },
        }
    }
}

impl OriginView {
    fn of(origin: &Origin) -> OriginView {
        OriginView {
            run_id: origin.run,
            task: origin.task.clone(),
            epoch: origin.epoch,
            attempt: origin.attempt,
            finished_at: At(origin.at),
            duration_ms: origin.run_ms,
        }
    }
}

/// In a few words, for people.
pub fn text(lookup: &Lookup) -> String {
    match &lookup.found {
        Found::Kept(Origin {
            run,
            task,
            at,
            attempt,
            ..
        }) => format!("the result of '{task}' in run {run}, attempt {attempt}, of {at} is reused"),
        Found::Nothing => "no result for the same is kept".to_owned(),
        Found::Unwanted => "the run wants everything done, so nobody looked for a kept result".to_owned(),
        Found::TakenBack => "a result of it was taken back, so it is really done".to_owned(),
        Found::Unreachable => "the cache could not be asked, so it is done".to_owned(),
    }
}
