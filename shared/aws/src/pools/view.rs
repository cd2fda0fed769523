//! Pools for people: who holds their slots and who waits.

use futures_util::future::try_join_all;
use orchestrator_core::ids::AttemptKey;
use orchestrator_core::pool::PoolUsage;
use orchestrator_engine::error::HostError;

use super::ledger::pools;
use super::{TablePools, of_pools};

/// A pool with its leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolLeases {
    /// How full it is.
    pub usage: PoolUsage,
    /// Who holds slots.
    pub holders: Vec<AttemptKey>,
    /// Who waits, the first in line first.
    pub waiters: Vec<AttemptKey>,
}

impl TablePools {
    /// All pools, sorted by name, with at most `shown_max` holders each and the first waiters.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn look(&self, shown_max: usize) -> Result<Vec<PoolLeases>, HostError> {
        let looked = async {
            let names = self.names().await?;
            let ledger = self.load(names.iter().cloned()).await?;
            let lines = try_join_all(names.iter().map(async |pool| {
                let count = self.count_waiters(pool).await?;
                // Mostly nobody waits; then there is nothing more to read.
                let first = match count {
                    0 => Vec::new(),
                    _ => self.first_waiters(pool).await?,
                };
                Ok((count, first))
            }));
            let mut looked = Vec::with_capacity(names.len());
            for (pool, (waiting, first)) in names.iter().zip(lines.await?) {
                let holds = ledger
                    .leases()
                    .filter(|(_, lease)| pools(&lease.demands).contains(&pool.as_str()));
                let mut holders: Vec<AttemptKey> = holds.map(|(key, _)| *key).collect();
                holders.sort_unstable();
                // A lease in several pools is stored with each of them.
                holders.dedup();
                holders.truncate(shown_max);
                let waiters = first.into_iter().map(|waiter| waiter.key);
                looked.push(PoolLeases {
                    usage: PoolUsage {
                        pool: pool.clone(),
                        capacity: self.capacity(pool).unwrap_or(0),
                        used: ledger.used(pool),
                        waiting,
                    },
                    holders,
                    waiters: waiters.take(shown_max).collect(),
                });
            }
            Ok(looked)
        };
        looked.await.map_err(of_pools)
    }
}
