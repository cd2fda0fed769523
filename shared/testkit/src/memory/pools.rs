//! Concurrency limits.

use std::collections::BTreeMap;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::{LeaseRequest, PoolBook, PoolUsage, Released};
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Pools;
use orchestrator_engine::ports::pools::Taken;

use super::Shared;

/// A [`PoolBook`] behind the port. The places of each client's runs (`runs:CLIENT`) are pools made on demand.
#[derive(Debug, Clone, Default)]
pub struct MemoryPools(Shared<Inner>);

#[derive(Debug, Default)]
struct Inner {
    book: PoolBook,
    /// Concurrent runs of each client.
    places: u32,
}

impl MemoryPools {
    /// Pools with these capacities; every client may have so many runs at a time.
    pub fn new(capacities: BTreeMap<String, u32>, places: u32) -> MemoryPools {
        MemoryPools(Shared::new(Inner {
            book: PoolBook::new(capacities),
            places,
        }))
    }

    /// Forgets every lease, as a restarted process does.
    pub fn reset(&self, capacities: BTreeMap<String, u32>) {
        self.0.lock().book = PoolBook::new(capacities);
    }

    /// Records a lease found in a journal.
    pub fn restore(&self, key: AttemptKey, demands: &[PoolDemand], seq: u64) {
        let mut inner = self.0.lock();
        inner.ensure_places(demands);
        inner.book.restore(key, demands, seq);
    }

    /// Whether the attempt holds its slots.
    pub fn holds(&self, key: AttemptKey) -> bool {
        self.0.lock().book.holds(&key)
    }

    /// Every lease, by attempt, once.
    pub fn holders(&self) -> Vec<AttemptKey> {
        let inner = self.0.lock();
        let pools = inner.book.usage();
        let used = pools.iter().filter(|pool| pool.used > 0);
        let mut holders: Vec<AttemptKey> = used.flat_map(|pool| inner.book.holders(&pool.pool)).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    /// Every lease of one run.
    pub fn holders_of(&self, run: RunId) -> Vec<AttemptKey> {
        self.0.lock().book.holders_of(run)
    }

    /// The attempts in line for a pool, first in line first.
    pub fn waiters(&self, pool: &str) -> Vec<AttemptKey> {
        self.0
            .lock()
            .book
            .waiters(pool)
            .into_iter()
            .map(|(_, key)| key)
            .collect()
    }

    /// How full every pool is.
    pub fn usage_now(&self) -> Vec<PoolUsage> {
        self.0.lock().book.usage()
    }
}

impl Inner {
    fn ensure_places(&mut self, demands: &[PoolDemand]) {
        for demand in demands.iter().filter(|demand| demand.pool.starts_with("runs:")) {
            self.book.ensure(&demand.pool, self.places);
        }
    }
}

impl Pools for MemoryPools {
    async fn take(&self, requests: &[LeaseRequest]) -> Result<Vec<Taken>, HostError> {
        let mut inner = self.0.lock();
        let mut taken = Vec::with_capacity(requests.len());
        for request in requests {
            inner.ensure_places(&request.demands);
            let instead = inner.book.held_instead(request);
            let demands = instead.as_ref().unwrap_or(&request.demands);
            let usage = demands
                .iter()
                .map(|demand| inner.book.used(&demand.pool))
                .collect();
            let answer = inner.book.take(request.clone());
            taken.push(Taken {
                answer,
                usage,
                instead,
            });
        }
        Ok(taken)
    }

    async fn release(&self, keys: &[AttemptKey], seen: u64) -> Result<Released, HostError> {
        Ok(self.0.lock().book.release(keys, seen))
    }

    async fn usage(&self) -> Result<Vec<PoolUsage>, HostError> {
        Ok(self.usage_now())
    }
}
