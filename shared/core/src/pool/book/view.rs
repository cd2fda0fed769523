//! Who holds what and who waits, for people.

use super::{Entry, PoolBook};
use crate::ids::{AttemptKey, RunId};
use crate::pool::{PoolUsage, WaiterOrder};

impl PoolBook {
    /// The attempts that hold slots of `pool`, sorted by key. Costs time linear in all attempts: for views.
    pub fn holders(&self, pool: &str) -> Vec<AttemptKey> {
        let Some(index) = self.names.get(pool) else {
            return Vec::new();
        };
        let of_pool = |entry: &Entry| {
            self.lines
                .get(entry.line)
                .demand
                .iter()
                .any(|(pool, _)| pool == index)
        };
        let mut holders: Vec<AttemptKey> = self
            .attempts
            .iter()
            .filter(|(_, entry)| entry.waiting.is_none() && of_pool(entry))
            .map(|(key, _)| *key)
            .collect();
        holders.sort_unstable();
        holders
    }

    /// The attempts of `run` that hold slots, sorted. Costs time linear in all attempts: for what goes wrong.
    pub fn holders_of(&self, run: RunId) -> Vec<AttemptKey> {
        let holds = |(key, entry): &(&AttemptKey, &Entry)| key.run == run && entry.waiting.is_none();
        let mut holders: Vec<AttemptKey> = self.attempts.iter().filter(holds).map(|(key, _)| *key).collect();
        holders.sort_unstable();
        holders
    }

    /// The attempts that stand in line for `pool`, first in line first.
    pub fn waiters(&self, pool: &str) -> Vec<(WaiterOrder, AttemptKey)> {
        let Some(&index) = self.names.get(pool) else {
            return Vec::new();
        };
        let lines = &self.pools.get(index).lines;
        let mut waiters: Vec<_> = lines
            .iter()
            .flat_map(|&line| self.lines.get(line).waiters.iter().copied())
            .collect();
        waiters.sort_unstable();
        waiters
    }

    /// Slots of `pool` held by leases; 0 for an unknown pool.
    pub fn used(&self, pool: &str) -> u32 {
        self.names
            .get(pool)
            .map_or(0, |&index| self.pools.get(index).used)
    }

    /// How full every pool is, sorted by name.
    pub fn usage(&self) -> Vec<PoolUsage> {
        let usage = |(name, &index): (&String, &usize)| {
            let pool = self.pools.get(index);
            PoolUsage {
                pool: name.clone(),
                capacity: pool.capacity,
                used: pool.used,
                waiting: pool.waiting,
            }
        };
        self.names.iter().map(usage).collect()
    }
}
