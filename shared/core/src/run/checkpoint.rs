//! What a run remembers of a task's checkpoints.
//!
//! A checkpoint is a value (any JSON), files, or both. Files are known by their list: every file with its length and its
//! SHA-256, stored beside them. The run remembers the SHA-256 of that list, so that whoever restores them can tell whether
//! they are what was saved. A checkpoint whose files turn out to be damaged is rejected, and the one before it is used.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::state::RunState;
use crate::ids::NodeIx;
use crate::time::Timestamp;

/// Checkpoints remembered of a task: the last one, and those it can fall back to.
pub const REMEMBERED_MAX: usize = 3;

/// The last checkpoint of a task, and what came before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checkpoint {
    /// Epoch of the attempt that saved it.
    pub epoch: u32,
    /// The attempt that saved it.
    pub attempt: u32,
    /// When it was recorded.
    pub saved_at: Timestamp,
    /// What the agent noted; `null` when it left files only.
    pub value: Arc<Value>,
    /// Its files, if it has some.
    pub files: Option<SavedFiles>,
    /// The one that is used when the files of this one are damaged; never more than [`REMEMBERED_MAX`] in all.
    pub previous: Option<Arc<Checkpoint>>,
}

/// Files that were saved together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFiles {
    /// The list of the files.
    pub list: ContentId,
    /// Number of files.
    pub count: u32,
    /// Bytes of all files.
    pub bytes: u64,
}

/// A checkpoint with files, as an attempt reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFiles {
    /// The files.
    pub files: SavedFiles,
    /// What the agent noted; `null` when it left files only.
    pub value: Value,
}

/// A checkpoint that cannot be used, or could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedCheckpoint {
    /// The files that were rejected; `None` when there was nothing to be recorded.
    pub files: Option<SavedFiles>,
    /// Why.
    pub reason: String,
}

impl Checkpoint {
    /// This checkpoint and those before it, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Checkpoint> {
        std::iter::successors(Some(self), |checkpoint| checkpoint.previous.as_deref())
    }

    /// Puts this one in front of `previous`. A value needs no fallback: it is in the journal itself.
    pub(super) fn after(mut self, previous: Option<&Arc<Checkpoint>>) -> Arc<Checkpoint> {
        self.previous = match self.files {
            Some(_) => previous.and_then(|previous| kept(previous, REMEMBERED_MAX - 1)),
            None => None,
        };
        Arc::new(self)
    }

    /// What is left when these files are rejected.
    pub(super) fn without(self: &Arc<Checkpoint>, list: ContentId) -> Option<Arc<Checkpoint>> {
        if self.has(list) {
            return self.previous.clone();
        }
        let mut kept = Checkpoint::clone(self);
        kept.previous = self.previous.as_ref().and_then(|previous| previous.without(list));
        Some(Arc::new(kept))
    }

    /// Whether its files are those of this list.
    pub fn has(&self, list: ContentId) -> bool {
        self.files.is_some_and(|files| files.list == list)
    }
}

impl RunState {
    /// Puts a checkpoint of the current attempt in front of the earlier ones. `null` takes them back.
    pub(super) fn remember(
        &mut self,
        node: NodeIx,
        value: Arc<Value>,
        files: Option<SavedFiles>,
        at: Timestamp,
    ) {
        let entry = &mut self.nodes[node.index()];
        let checkpoint = Checkpoint {
            epoch: entry.epoch,
            attempt: entry.attempt,
            saved_at: at,
            value,
            files,
            previous: None,
        };
        entry.checkpoint = match checkpoint.value.is_null() && files.is_none() {
            true => None,
            false => Some(checkpoint.after(entry.checkpoint.as_ref())),
        };
    }
}

/// The first `count` checkpoints of a history.
fn kept(newest: &Arc<Checkpoint>, count: usize) -> Option<Arc<Checkpoint>> {
    let length = newest.newest_first().count();
    match (count, length) {
        (0, _) => None,
        (count, length) if length <= count => Some(Arc::clone(newest)),
        (count, _) => {
            let mut cut = Checkpoint::clone(newest);
            cut.previous = newest
                .previous
                .as_ref()
                .and_then(|previous| kept(previous, count - 1));
            Some(Arc::new(cut))
        }
    }
}

/// SHA-256 of some content, by which it is known. Printed as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub [u8; 32]);

impl ContentId {
    /// Of these bytes.
    pub fn of(content: &[u8]) -> ContentId {
        ContentId(Sha256::digest(content).into())
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The text is not the SHA-256 of anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a SHA-256 (it has 64 hexadecimal digits in lower case)")]
pub struct ContentIdError(pub String);

impl FromStr for ContentId {
    type Err = ContentIdError;

    fn from_str(text: &str) -> Result<ContentId, ContentIdError> {
        let wrong = || ContentIdError(text.chars().take(80).collect());
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(wrong()),
        };
        let digits = text.as_bytes();
        let mut id = [0; 32];
        if digits.len() != 2 * id.len() {
            return Err(wrong());
        }
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(ContentId(id))
    }
}

impl Serialize for ContentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(64);
        // Writing to a string does not fail.
        let _ = write!(text, "{self}");
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for ContentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ContentId, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(content: &str) -> Checkpoint {
        Checkpoint {
            epoch: 1,
            attempt: 1,
            saved_at: Timestamp(0),
            value: Arc::new(Value::Null),
            files: (!content.is_empty()).then(|| SavedFiles {
                list: ContentId::of(content.as_bytes()),
                count: 1,
                bytes: 1,
            }),
            previous: None,
        }
    }

    fn history(contents: &[&str]) -> Option<Arc<Checkpoint>> {
        contents.iter().fold(None, |last, content| {
            Some(checkpoint(content).after(last.as_ref()))
        })
    }

    fn lists(last: Option<&Arc<Checkpoint>>) -> Vec<Option<ContentId>> {
        let files = |checkpoint: &Checkpoint| checkpoint.files.map(|files| files.list);
        last.map_or(Vec::new(), |last| last.newest_first().map(files).collect())
    }

    fn expected(contents: &[&str]) -> Vec<Option<ContentId>> {
        contents
            .iter()
            .map(|content| checkpoint(content).files.map(|files| files.list))
            .collect()
    }

    #[test]
    fn a_few_are_remembered_and_a_value_needs_no_others() {
        for (saved, remembered) in [
            (&["a"][..], &["a"][..]),
            (&["a", "b", "c", "d", "e"], &["e", "d", "c"]),
            (&["a", "b", ""], &[""]),
            (&["a", "", "b", "c"], &["c", "b", ""]),
        ] {
            assert_eq!(lists(history(saved).as_ref()), expected(remembered), "{saved:?}");
        }
    }

    #[test]
    fn what_is_rejected_is_forgotten_wherever_it_is() {
        for (rejected, left) in [
            ("c", &["b", "a"][..]),
            ("b", &["c", "a"]),
            ("a", &["c", "b"]),
            ("x", &["c", "b", "a"]),
        ] {
            let last = history(&["a", "b", "c"])
                .unwrap()
                .without(ContentId::of(rejected.as_bytes()));
            assert_eq!(lists(last.as_ref()), expected(left), "{rejected}");
        }
        assert_eq!(history(&["a"]).unwrap().without(ContentId::of(b"a")), None);
    }

    #[test]
    fn ids_are_read_as_they_are_printed() {
        let id = ContentId::of(b"abc");
        let text = id.to_string();
        assert!(text.starts_with("ba7816bf") && text.len() == 64, "{text}");
        assert_eq!(text.parse(), Ok(id));
        for wrong in ["", "ba78", &text.to_uppercase(), &"é".repeat(32)] {
            assert!(wrong.parse::<ContentId>().is_err(), "{wrong}");
        }
    }
}
