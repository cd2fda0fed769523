//! The pools port: one book in memory. It is rebuilt from the journals at start, so that a lease cannot outlive its attempt.

use std::cell::RefCell;
use std::collections::BTreeMap;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::{LeaseRequest, PoolBook, PoolUsage, Released};
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Pools;
use orchestrator_engine::ports::pools::Taken;

use super::PoolView;

/// Begins the name of a pool whose slots are a client's places for concurrent runs.
const RUNS_PREFIX: &str = "runs:";

/// All pools of the host.
#[derive(Debug)]
pub(crate) struct LocalPools {
    book: RefCell<PoolBook>,
    /// Places of each client.
    runs_max: u32,
}

impl LocalPools {
    pub(crate) fn new(capacities: BTreeMap<String, u32>, runs_max: Option<u32>) -> LocalPools {
        LocalPools {
            book: RefCell::new(PoolBook::new(capacities)),
            runs_max: runs_max.unwrap_or(u32::MAX),
        }
    }

    /// Notes what an attempt holds according to its journal of `seq` appends.
    pub(crate) fn restore(&self, key: AttemptKey, demands: &[PoolDemand], seq: u64) {
        let mut book = self.book.borrow_mut();
        ensure_clients(&mut book, demands, self.runs_max);
        book.restore(key, demands, seq);
    }

    /// Every lease of one run.
    pub(crate) fn holders_of(&self, run: RunId) -> Vec<AttemptKey> {
        self.book.borrow().holders_of(run)
    }

    /// Every pool with who holds it and who waits.
    pub(crate) fn view(&self) -> Vec<PoolView> {
        let book = self.book.borrow();
        let view = |usage: PoolUsage| PoolView {
            holders: book.holders(&usage.pool),
            waiters: book
                .waiters(&usage.pool)
                .into_iter()
                .map(|(_, key)| key)
                .collect(),
            usage,
        };
        book.usage().into_iter().map(view).collect()
    }
}

impl Pools for LocalPools {
    async fn take(&self, requests: &[LeaseRequest]) -> Result<Vec<Taken>, HostError> {
        let mut book = self.book.borrow_mut();
        let take = |request: &LeaseRequest| {
            ensure_clients(&mut book, &request.demands, self.runs_max);
            let instead = book.held_instead(request);
            let demands = instead.as_ref().unwrap_or(&request.demands);
            let usage = demands.iter().map(|demand| book.used(&demand.pool)).collect();
            Taken {
                answer: book.take(request.clone()),
                usage,
                instead,
            }
        };
        Ok(requests.iter().map(take).collect())
    }

    async fn release(&self, keys: &[AttemptKey], seen: u64) -> Result<Released, HostError> {
        Ok(self.book.borrow_mut().release(keys, seen))
    }

    async fn usage(&self) -> Result<Vec<PoolUsage>, HostError> {
        Ok(self.book.borrow().usage())
    }
}

/// Clients' pools come into being when they are first asked for.
fn ensure_clients(book: &mut PoolBook, demands: &[PoolDemand], runs_max: u32) {
    for PoolDemand { pool, .. } in demands {
        if pool.starts_with(RUNS_PREFIX) {
            let granted = book.ensure(pool, runs_max);
            assert!(
                granted.is_empty(),
                "the capacity of a client's pool never changes"
            );
        }
    }
}
