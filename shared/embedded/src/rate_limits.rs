//! The rate limits port: token buckets in memory. A restart fills them; nobody is refused because of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use orchestrator_core::guard::{Admission, RateLimits as Limits, TokenBucket};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::RateLimits;

/// Clients whose buckets are kept; full ones are forgotten first, which changes nothing for them.
const BUCKETS_MAX: usize = 10_000;

/// One bucket per client, all with the same limits.
#[derive(Debug)]
pub(crate) struct LocalRateLimits {
    limits: Limits,
    buckets: Mutex<BTreeMap<String, TokenBucket>>,
}

impl LocalRateLimits {
    pub(crate) fn new(limits: Limits) -> LocalRateLimits {
        LocalRateLimits {
            limits,
            buckets: Mutex::default(),
        }
    }
}

impl RateLimits for LocalRateLimits {
    async fn take(&self, client_id: &str, now: Timestamp) -> Result<Option<u64>, HostError> {
        let limits = &self.limits;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, bucket| !bucket.is_full(limits, now));
        }
        let bucket = buckets
            .entry(client_id.to_owned())
            .or_insert_with(|| TokenBucket::new(limits, now));
        Ok(match bucket.admit(limits, now) {
            Admission::Allowed => None,
            Admission::RetryAfter(seconds) => Some(seconds),
        })
    }
}
