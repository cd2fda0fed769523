//! Typed identifiers.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A map keyed by ids. Nobody else chooses them, so that the guard of the standard library against keys that are chosen to
/// collide is not needed: it was 4 % of an engine's time.
pub type IdMap<Id, V> = HashMap<Id, V, FixedState>;

/// Identifies a run: a ULID, so ids sort by creation time. Printed as 26 Crockford base-32 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u128);

impl RunId {
    /// Builds an id from its creation time (milliseconds since the epoch) and 80 random bits.
    pub fn from_parts(created_ms: u64, random: u128) -> RunId {
        RunId(ulid::Ulid::from_parts(created_ms, random).0)
    }

    /// When the id was made.
    pub fn created_at(self) -> Timestamp {
        Timestamp(i64::try_from(ulid::Ulid(self.0).timestamp_ms()).unwrap_or(i64::MAX))
    }

    /// The 16 bytes of the id; their order is the order of the ids.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The inverse of [`RunId::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> RunId {
        RunId(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; ulid::ULID_LEN];
        f.write_str(ulid::Ulid(self.0).array_to_str(&mut buffer))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a run id (a run id has 26 letters and digits, as printed by 'orchestrator list')")]
pub struct RunIdError(pub String);

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<RunId, RunIdError> {
        match ulid::Ulid::from_string(text) {
            Ok(id) => Ok(RunId(id.0)),
            Err(_) => Err(RunIdError(text.chars().take(64).collect())),
        }
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<RunId, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Index of a node of a run. Nodes `0..workflow.tasks.len()` are the tasks in document order; the children of a
/// `for_each` task are appended after them when it expands. `u32` because a run never has four billion nodes and
/// the journal stores one per event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIx(pub u32);

impl NodeIx {
    /// The index as `usize`, for slices.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The node at position `index`.
    ///
    /// # Panics
    /// When `index` does not fit 32 bits; validation bounds the task count far below.
    pub fn new(index: usize) -> NodeIx {
        NodeIx(u32::try_from(index).expect("node count is bounded by validation"))
    }
}

/// One attempt of one task of one run: the key of leases, dispatches and reports, and what makes all of them
/// idempotent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptKey {
    /// The run.
    pub run: RunId,
    /// The node within the run.
    pub node: NodeIx,
    /// Epoch of the node: 1 at first, one more each time the task is reset (rerun, rollback, retry of the run).
    pub epoch: u32,
    /// Attempt within the epoch, from 1.
    pub attempt: u32,
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.run, self.node.0, self.epoch, self.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_round_trip_and_sort_by_time() {
        let early = RunId::from_parts(1, 99);
        let late = RunId::from_parts(2, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(late.to_string().parse(), Ok(late));
        assert_eq!(RunId::from_bytes(late.to_bytes()), late);
    }

    #[test]
    fn a_bad_run_id_is_named() {
        let error = "nonsense".parse::<RunId>().unwrap_err();
        assert!(error.to_string().starts_with("'nonsense' is not a run id"));
    }
}
