//! Requests per client.

use std::collections::BTreeMap;

use orchestrator_core::guard::{Admission, RateLimits as Limits, TokenBucket};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::RateLimits;

use super::Shared;

/// Token buckets in memory.
#[derive(Debug, Clone)]
pub struct MemoryRateLimits {
    limits: Limits,
    buckets: Shared<BTreeMap<String, TokenBucket>>,
}

impl MemoryRateLimits {
    /// The same limits for every client.
    pub fn new(limits: Limits) -> MemoryRateLimits {
        MemoryRateLimits {
            limits,
            buckets: Shared::default(),
        }
    }
}

impl RateLimits for MemoryRateLimits {
    async fn take(&self, client_id: &str, now: Timestamp) -> Result<Option<u64>, HostError> {
        let mut buckets = self.buckets.lock();
        let bucket = buckets
            .entry(client_id.to_owned())
            .or_insert_with(|| TokenBucket::new(&self.limits, now));
        Ok(match bucket.admit(&self.limits, now) {
            Admission::Allowed => None,
            Admission::RetryAfter(seconds) => Some(seconds),
        })
    }
}
