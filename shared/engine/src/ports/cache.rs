//! Remembering results that can be made again.

use orchestrator_core::time::Timestamp;

use crate::error::HostError;

/// Keeps values under keys until they expire. Losing an entry costs time, never correctness, so callers go on without it
/// when the cache cannot be reached.
///
/// Contract, checked by the testkit's `cache` suite: the last `put` of a key is what `get` finds until `expires_at`; an
/// expired entry is not found, whether or not it is still stored; of several claims of a key at once, one succeeds.
pub trait Cache {
    /// The value of a key.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, HostError>;

    /// Sets the value of a key, at most [`VALUE_BYTES_MAX`] long.
    ///
    /// # Errors
    /// When the value is too long or the store cannot be reached.
    async fn put(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), HostError>;

    /// Sets the value of a key that has none, or one that has expired, and tells whether it did. Values differ between those who claim:
    /// whoever does not learn the outcome of its first try knows itself by the value.
    ///
    /// # Errors
    /// When the value is too long or the store cannot be reached.
    async fn claim(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, HostError>;

    /// Forgets a key.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn remove(&self, key: &str) -> Result<(), HostError>;
}

/// Longest value, bytes.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;
