//! Remembering `Idempotency-Key`s.

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;

use crate::error::HostError;

/// Remembers which request created which run.
pub trait Idempotency {
    /// Remembers `claim` unless its (client, key) is known. One conditional write; of two concurrent calls one wins.
    /// Entries older than `Claim::expires_at` count as unknown.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn claim(&self, claim: Claim) -> Result<Claimed, HostError>;
}

/// A request that wants to create a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The client.
    pub client_id: String,
    /// The key it sent, at most 255 characters.
    pub key: String,
    /// SHA-256 of the request body.
    pub body_hash: [u8; 32],
    /// The run it will create.
    pub run: RunId,
    /// The current time.
    pub now: Timestamp,
    /// When the entry may be forgotten.
    pub expires_at: Timestamp,
}

/// The answer to a [`Claim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The key is new and now stands for the claim's run.
    New,
    /// The key stands for this run, created with a body of this hash.
    Known {
        /// The run.
        run: RunId,
        /// SHA-256 of the body that created it.
        body_hash: [u8; 32],
    },
}
