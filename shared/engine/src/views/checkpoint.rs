//! The checkpoints of one task.

use orchestrator_core::run::{Checkpoint, NewFiles, RejectedCheckpoint, SavedFiles};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::at::At;

/// A checkpoint that an attempt can start from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Checkpoint")]
pub struct CheckpointView {
    /// Epoch of the attempt that saved it.
    pub epoch: u32,
    /// The attempt that saved it.
    pub attempt: u32,
    /// When it was recorded.
    pub saved_at: At,
    /// Its files; absent when it is a value only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesView>,
    /// What its agent noted; in a list, of a checkpoint that is nothing else and not the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// Files that were saved together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SavedFiles")]
pub struct FilesView {
    /// SHA-256 of the list of the files, which has the length and the SHA-256 of each.
    #[schemars(with = "String")]
    pub list: orchestrator_core::run::ContentId,
    /// Number of files.
    pub count: u32,
    /// Bytes of all files.
    pub bytes: u64,
}

impl CheckpointView {
    /// The last checkpoint and those it falls back to, newest first.
    pub fn newest_first(last: Option<&Checkpoint>) -> Vec<CheckpointView> {
        let history = last.into_iter().flat_map(Checkpoint::newest_first);
        let view = |(index, checkpoint): (usize, &Checkpoint)| CheckpointView {
            epoch: checkpoint.epoch,
            attempt: checkpoint.attempt,
            saved_at: At(checkpoint.saved_at),
            files: checkpoint.files.map(FilesView::of),
            value: (index > 0 && checkpoint.files.is_none()).then(|| Value::clone(&checkpoint.value)),
        };
        history.enumerate().map(view).collect()
    }

    /// One checkpoint with its value.
    pub(super) fn whole(checkpoint: &Checkpoint) -> CheckpointView {
        CheckpointView {
            epoch: checkpoint.epoch,
            attempt: checkpoint.attempt,
            saved_at: At(checkpoint.saved_at),
            files: checkpoint.files.map(FilesView::of),
            value: (!checkpoint.value.is_null()).then(|| Value::clone(&checkpoint.value)),
        }
    }
}

impl FilesView {
    /// The view of saved files.
    pub fn of(files: SavedFiles) -> FilesView {
        let SavedFiles { list, count, bytes } = files;
        FilesView { list, count, bytes }
    }

    /// The files.
    pub fn files(self) -> SavedFiles {
        let FilesView { list, count, bytes } = self;
        SavedFiles { list, count, bytes }
    }
}

/// What an event says of saved files: in words, and as data.
pub(super) fn saved(saved: &NewFiles) -> (String, Value) {
    let files = saved.files;
    let text = format!("the agent saved a checkpoint of {}", size(files));
    let mut data = Map::new();
    if !saved.value.is_null() {
        data.insert("checkpoint".to_owned(), saved.value.clone());
    }
    data.insert("files".to_owned(), json!(FilesView::of(files)));
    (text, Value::Object(data))
}

/// What an event says of a checkpoint that is not used.
pub(super) fn rejected(rejected: &RejectedCheckpoint) -> (String, Value) {
    let RejectedCheckpoint { files, reason } = rejected;
    match files {
        Some(files) => (
            format!("a checkpoint of {} is not used: {reason}", size(*files)),
            json!({"files": FilesView::of(*files), "reason": reason}),
        ),
        None => (
            format!("no checkpoint was made: {reason}"),
            json!({"reason": reason}),
        ),
    }
}

fn size(files: SavedFiles) -> String {
    match files.count {
        1 => format!("1 file, {} bytes", files.bytes),
        count => format!("{count} files, {} bytes", files.bytes),
    }
}
