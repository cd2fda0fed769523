//! The persisted form of checkpoints that have files.

use std::sync::Arc;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{ContentId, Event, NewFiles, RejectedCheckpoint, SavedFiles};
use serde_json::Value;

use super::Error;
use super::event::Persisted;
use super::parts::{Json, json, parse};

#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct PersistedFiles {
    #[n(0)]
    list: ByteArray<32>,
    #[n(1)]
    count: u32,
    #[n(2)]
    bytes: u64,
}

impl PersistedFiles {
    fn of(files: SavedFiles) -> PersistedFiles {
        PersistedFiles {
            list: files.list.0.into(),
            count: files.count,
            bytes: files.bytes,
        }
    }

    fn into_files(self) -> SavedFiles {
        SavedFiles {
            list: ContentId(*self.list),
            count: self.count,
            bytes: self.bytes,
        }
    }
}

pub(super) fn saved(node: NodeIx, saved: &NewFiles) -> Persisted<'_> {
    let value = (!saved.value.is_null()).then(|| json(&saved.value));
    Persisted::TaskFilesSaved(node.0, PersistedFiles::of(saved.files), value)
}

pub(super) fn into_saved(node: u32, files: PersistedFiles, value: Option<Json<'_>>) -> Result<Event, Error> {
    let value = value.map_or(Ok(Value::Null), |value| parse(&value))?;
    let files = files.into_files();
    Ok(Event::TaskFilesSaved {
        node: NodeIx(node),
        saved: Arc::new(NewFiles { files, value }),
    })
}

pub(super) fn rejected(node: NodeIx, rejected: &RejectedCheckpoint) -> Persisted<'_> {
    let files = rejected.files.map(PersistedFiles::of);
    Persisted::CheckpointRejected(node.0, files, rejected.reason.as_str().into())
}

pub(super) fn into_rejected(node: u32, files: Option<PersistedFiles>, reason: String) -> Event {
    let files = files.map(PersistedFiles::into_files);
    Event::CheckpointRejected {
        node: NodeIx(node),
        rejected: Arc::new(RejectedCheckpoint { files, reason }),
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::time::Timestamp;

    use super::*;
    use crate::record::{decode, encode};

    /// What is stored on people's disks: every later version must read it.
    #[test]
    fn stored_records_are_read_and_written_as_they_are() {
        let files = SavedFiles {
            list: ContentId([7; 32]),
            count: 3,
            bytes: 100 << 20,
        };
        let saved = |value: Value| Event::TaskFilesSaved {
            node: NodeIx(5),
            saved: Arc::new(NewFiles { files, value }),
        };
        let rejected = |files: Option<SavedFiles>| Event::CheckpointRejected {
            node: NodeIx(5),
            rejected: Arc::new(RejectedCheckpoint {
                files,
                reason: "torn".to_owned(),
            }),
        };
        let list = format!("835820{}031a06400000", "07".repeat(32));
        for (event, stored) in [
            (saved(Value::Null), format!("83182b05{list}")),
            (saved(serde_json::json!(1)), format!("84182b05{list}6131")),
            (rejected(None), "84182c05f664746f726e".to_owned()),
            (rejected(Some(files)), format!("84182c05{list}64746f726e")),
        ] {
            let record = encode(Timestamp(1), std::slice::from_ref(&event));
            let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(hex.ends_with(&stored), "{hex} does not end with {stored}");
            assert_eq!(decode(&record), Ok((Timestamp(1), vec![event])));
        }
    }
}
