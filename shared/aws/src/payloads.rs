//! What is too large for an item or a message: objects in one bucket, by reference.
//!
//! `blobs/` holds parts of journals and must never expire; `payloads/` holds envelopes and messages and may, once no agent
//! can ask for them any more.

use orchestrator_core::ids::RunId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fault::{Fault, Kind};
use crate::objects::{Bucket, Objects};

/// Longest text sent in a message; a longer one goes to the bucket.
pub const MESSAGE_BYTES_MAX: usize = 200 * 1024;

/// The bucket, if one is configured.
#[derive(Debug, Clone)]
pub struct Payloads {
    bucket: Option<Bucket>,
}

/// A text that stands for a larger one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Where the text is.
    pub payload: Location,
}

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// The object.
    pub key: String,
    /// Its length.
    pub bytes: u64,
}

impl Payloads {
    /// Objects in this bucket.
    pub fn new(objects: &Objects, bucket: Option<&str>) -> Payloads {
        Payloads {
            bucket: bucket.map(|name| objects.bucket(name)),
        }
    }

    /// Whether there is a bucket.
    pub fn has_bucket(&self) -> bool {
        self.bucket.is_some()
    }

    /// The text itself if it is at most `bytes_max` long, otherwise a [`Reference`] to it.
    ///
    /// # Errors
    /// When it is longer and cannot be stored.
    pub async fn fit(&self, run: RunId, text: String, bytes_max: usize) -> Result<String, Fault> {
        if text.len() <= bytes_max {
            return Ok(text);
        }
        let key = format!("payloads/{run}/{}.json", hex::encode(Sha256::digest(&text)));
        let location = Location {
            bucket: self.bucket()?.name().to_owned(),
            key,
            bytes: text.len() as u64,
        };
        self.put(&location.key, text.into_bytes()).await?;
        let reference = Reference { payload: location };
        Ok(serde_json::to_string(&reference).expect("a reference is plain data"))
    }

    /// The inverse of [`Payloads::fit`].
    ///
    /// # Errors
    /// When the object is missing or cannot be read.
    pub async fn unfold(&self, text: String) -> Result<String, Fault> {
        let Ok(Reference { payload }) = serde_json::from_str(&text) else {
            return Ok(text);
        };
        let missing = |detail: String| Fault {
            kind: Kind::Fatal,
            detail,
        };
        if self
            .bucket
            .as_ref()
            .is_none_or(|bucket| bucket.name() != payload.bucket)
        {
            return Err(missing(format!(
                "'{}' is not the bucket of this deployment",
                payload.bucket
            )));
        }
        let bytes = self.get(&payload.key).await?;
        let bytes = bytes
            .ok_or_else(|| missing(format!("there is no object '{}' (has it expired?)", payload.key)))?;
        String::from_utf8(bytes).map_err(|_| missing(format!("object '{}' is not text", payload.key)))
    }

    /// Stores an object.
    ///
    /// # Errors
    /// When there is no bucket, or it is not known to be stored.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Fault> {
        let stored = self.bucket()?.put(key, bytes).await;
        stored.map_err(|error| Fault::of(&error))
    }

    /// Whether there is an object.
    ///
    /// # Errors
    /// When there is no bucket, or it cannot be asked.
    pub async fn exists(&self, key: &str) -> Result<bool, Fault> {
        let exists = self.bucket()?.exists(key).await;
        exists.map_err(|error| Fault::of(&error))
    }

    /// An object; `None` when there is none.
    ///
    /// # Errors
    /// When there is no bucket, or it cannot be read.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let bytes = self.bucket()?.get(key).await;
        bytes.map_err(|error| Fault::of(&error))
    }

    fn bucket(&self) -> Result<&Bucket, Fault> {
        self.bucket.as_ref().ok_or_else(|| Fault {
            kind: Kind::Fatal,
            detail: format!(
                "what is too large for a message or a job needs a bucket, and none is configured (set {})",
                crate::env::BUCKET
            ),
        })
    }
}
