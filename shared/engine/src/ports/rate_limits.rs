//! Requests per client.

use orchestrator_core::time::Timestamp;

use crate::error::HostError;

/// Counts requests per client in token buckets.
pub trait RateLimits {
    /// Takes one token of `client_id`. `None`: go ahead; `Some(seconds)`: refused, try again after so many seconds.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn take(&self, client_id: &str, now: Timestamp) -> Result<Option<u64>, HostError>;
}
