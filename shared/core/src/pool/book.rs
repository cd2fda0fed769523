//! All pools of one host, in memory.
//!
//! Waiters with the same demand form a *line*; at rest no line's first waiter fits into what is free (POOL-3). So a newcomer
//! that fits overtakes nobody, and when slots come free only the heads of the lines through those pools are looked at. An
//! operation costs O(log waiters + lines through the pools it touches); lines are as few as there are distinct demands.

mod slab;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{LeaseAnswer, LeaseRequest, Released, WaiterOrder};
use crate::ids::{AttemptKey, IdMap};
use crate::policy::PoolDemand;

use slab::Slab;

/// A set of pools with their leases and waiters. Pure: the embedded host and the test kit drive it, and rebuild it from
/// the journals with [`PoolBook::restore`].
#[derive(Debug, Default)]
pub struct PoolBook {
    names: BTreeMap<String, usize>,
    pools: Slab<Pool>,
    by_demand: HashMap<Demand, usize>,
    lines: Slab<Line>,
    attempts: IdMap<AttemptKey, Entry>,
}

/// Slots by pool index, sorted by pool index, each pool once.
type Demand = Vec<(usize, u32)>;

#[derive(Debug)]
struct Pool {
    name: String,
    capacity: u32,
    used: u32,
    waiting: u32,
    /// Leases and lines whose demand names this pool; it can be retired at 0.
    references: u32,
    /// The lines through this pool that are not empty.
    lines: BTreeSet<usize>,
}

/// The waiters of one demand. It exists while a lease or a waiter has that demand.
#[derive(Debug)]
struct Line {
    demand: Demand,
    waiters: BTreeSet<(WaiterOrder, AttemptKey)>,
    members: u32,
}

/// An attempt known to the book: `waiting` is its place in the line, `None` once it holds its slots. `seq` is the latest
/// append that may record it.
#[derive(Debug)]
struct Entry {
    line: usize,
    waiting: Option<WaiterOrder>,
    seq: u64,
}

impl PoolBook {
    /// A book of pools with these capacities, all free.
    pub fn new(capacities: BTreeMap<String, u32>) -> PoolBook {
        let mut book = PoolBook::default();
        for (pool, capacity) in capacities {
            book.add_pool(pool, capacity);
        }
        book
    }

    /// Registers a pool that is created on demand (`agent:NAME`, `runs:CLIENT`) or gives it a new capacity. Returns the
    /// attempts that a larger capacity lets in, in waiter order.
    pub fn ensure(&mut self, pool: &str, capacity: u32) -> Vec<AttemptKey> {
        match self.names.get(pool) {
            Some(&index) if self.pools.get(index).capacity == capacity => Vec::new(),
            Some(&index) => {
                self.pools.get_mut(index).capacity = capacity;
                self.grant(&[(index, 0)])
            }
            None => {
                self.add_pool(pool.to_owned(), capacity);
                Vec::new()
            }
        }
    }

    /// Changes the capacity of a pool, registering it if need be. Nothing is taken away from holders: a pool that has
    /// become too small grants nothing until it has drained. Returns the attempts that a larger capacity lets in.
    pub fn set_capacity(&mut self, pool: &str, capacity: u32) -> Vec<AttemptKey> {
        self.ensure(pool, capacity)
    }

    /// Forgets a pool nobody holds or waits for; false when it is in use or unknown.
    pub fn retire(&mut self, pool: &str) -> bool {
        let Some(&index) = self.names.get(pool) else {
            return false;
        };
        if self.pools.get(index).references > 0 {
            return false;
        }
        self.names.remove(pool);
        self.pools.remove(index);
        true
    }

    /// Takes the slots, or stands in line for them. Idempotent by key: what is taken stays taken, and who waits keeps
    /// waiting (at the order given last).
    pub fn take(&mut self, request: LeaseRequest) -> LeaseAnswer {
        let LeaseRequest {
            key,
            demands,
            order,
            seq,
        } = request;
        let known = self.attempts.get(&key).map_or(0, |entry| entry.seq);
        let seq = seq.max(known);
        if let Some(entry) = self.attempts.get_mut(&key)
            && entry.waiting.is_none()
        {
            entry.seq = seq;
            return LeaseAnswer::Taken;
        }
        self.forget_waiter(&key);
        let demand = match self.resolve(&demands) {
            Ok(demand) => demand,
            Err(impossible) => return impossible,
        };
        let full = self.full(&demand);
        let waiting = (!full.is_empty()).then_some(order);
        self.enter(key, demand, waiting, seq);
        if full.is_empty() {
            LeaseAnswer::Taken
        } else {
            LeaseAnswer::Waiting { full }
        }
    }

    /// Gives back slots and places in line of attempts that have no use for them according to the run's journal up to
    /// append `seen`. One that was asked for again by somebody who had seen more is kept: it may be in use by now. The
    /// attempts that get the freed slots, in waiter order, have their leases already. Releasing twice is releasing once.
    pub fn release(&mut self, keys: &[AttemptKey], seen: u64) -> Released {
        let mut released = Released::default();
        for key in keys {
            match self.attempts.get(key) {
                Some(entry) if entry.seq > seen => released.kept.push(*key),
                _ => released.granted.extend(self.release_one(key)),
            }
        }
        released
    }

    fn release_one(&mut self, key: &AttemptKey) -> Vec<AttemptKey> {
        let Some(entry) = self.attempts.get(key) else {
            return Vec::new();
        };
        if entry.waiting.is_some() {
            self.forget_waiter(key);
            return Vec::new();
        }
        let line = entry.line;
        self.attempts.remove(key);
        let demand = self.lines.get(line).demand.clone();
        for &(pool, slots) in &demand {
            self.pools.get_mut(pool).used -= slots;
        }
        let granted = self.grant(&demand);
        self.leave(line);
        granted
    }

    /// Records a lease found in a journal of `seq` appends, even above capacity (the configuration may have shrunk) or in a
    /// pool that is no longer configured (capacity 0). Idempotent; an attempt that waited now holds.
    pub fn restore(&mut self, key: AttemptKey, demands: &[PoolDemand], seq: u64) {
        if matches!(self.attempts.get(&key), Some(entry) if entry.waiting.is_none()) {
            return;
        }
        self.forget_waiter(&key);
        for PoolDemand { pool, .. } in demands {
            if !self.names.contains_key(pool) {
                self.add_pool(pool.clone(), 0);
            }
        }
        let demand = self
            .indexed(demands)
            .expect("every pool has just been registered");
        self.enter(key, demand, None, seq);
    }

    /// The slots this attempt holds already, if they are others than it asks for: [`PoolBook::take`] will answer that it
    /// has what it holds.
    pub fn held_instead(&self, request: &LeaseRequest) -> Option<Vec<PoolDemand>> {
        let entry = self.attempts.get(&request.key)?;
        let held = &self.lines.get(entry.line).demand;
        if entry.waiting.is_some() || self.indexed(&request.demands).as_ref() == Ok(held) {
            return None;
        }
        let demand = |&(pool, slots): &(usize, u32)| PoolDemand {
            pool: self.pools.get(pool).name.clone(),
            slots,
        };
        let mut demands: Vec<PoolDemand> = held.iter().map(demand).collect();
        demands.sort_unstable();
        Some(demands)
    }

    /// Whether this attempt holds its slots.
    pub fn holds(&self, key: &AttemptKey) -> bool {
        matches!(self.attempts.get(key), Some(entry) if entry.waiting.is_none())
    }

    fn add_pool(&mut self, name: String, capacity: u32) {
        let pool = Pool {
            name: name.clone(),
            capacity,
            used: 0,
            waiting: 0,
            references: 0,
            lines: BTreeSet::new(),
        };
        let index = self.pools.insert(pool);
        self.names.insert(name, index);
    }

    /// The demand by pool index; an error names the pool that can never satisfy it.
    fn resolve(&self, demands: &[PoolDemand]) -> Result<Demand, LeaseAnswer> {
        let demand = self.indexed(demands).map_err(|pool| LeaseAnswer::Impossible {
            pool: pool.to_owned(),
            capacity: None,
        })?;
        match demand
            .iter()
            .map(|&(pool, slots)| (self.pools.get(pool), slots))
            .find(|(p, s)| *s > p.capacity)
        {
            Some((pool, _)) => Err(LeaseAnswer::Impossible {
                pool: pool.name.clone(),
                capacity: Some(pool.capacity),
            }),
            None => Ok(demand),
        }
    }

    /// The demand by pool index, slots of a pool that is named twice added up; an error is the unknown pool.
    fn indexed<'a>(&self, demands: &'a [PoolDemand]) -> Result<Demand, &'a str> {
        let mut demand = Demand::with_capacity(demands.len());
        for PoolDemand { pool, slots } in demands {
            let index = *self.names.get(pool).ok_or(pool.as_str())?;
            demand.push((index, *slots));
        }
        demand.sort_unstable();
        demand.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        Ok(demand)
    }

    fn fits(&self, demand: &[(usize, u32)]) -> bool {
        demand
            .iter()
            .all(|&(pool, slots)| self.pools.get(pool).has(slots))
    }

    /// Names of the pools without room for the demand, sorted.
    fn full(&self, demand: &[(usize, u32)]) -> Vec<String> {
        let pools = demand.iter().map(|&(pool, slots)| (self.pools.get(pool), slots));
        let mut full: Vec<String> = pools
            .filter(|(pool, slots)| !pool.has(*slots))
            .map(|(pool, _)| pool.name.clone())
            .collect();
        full.sort_unstable();
        full
    }

    /// Makes an unknown attempt a holder (`waiting` is `None`) or a waiter.
    fn enter(&mut self, key: AttemptKey, demand: Demand, waiting: Option<WaiterOrder>, seq: u64) {
        let line = match self.by_demand.get(&demand) {
            Some(&line) => line,
            None => {
                for &(pool, _) in &demand {
                    self.pools.get_mut(pool).references += 1;
                }
                let line = self.lines.insert(Line {
                    demand: demand.clone(),
                    waiters: BTreeSet::new(),
                    members: 0,
                });
                self.by_demand.insert(demand, line);
                line
            }
        };
        self.lines.get_mut(line).members += 1;
        self.attempts.insert(key, Entry { line, waiting, seq });
        match waiting {
            Some(order) => self.stand_in_line(line, order, key),
            None => self.occupy(line),
        }
    }

    fn stand_in_line(&mut self, index: usize, order: WaiterOrder, key: AttemptKey) {
        let line = self.lines.get_mut(index);
        line.waiters.insert((order, key));
        for &(pool, _) in &line.demand {
            let pool = self.pools.get_mut(pool);
            pool.waiting += 1;
            pool.lines.insert(index);
        }
    }

    fn occupy(&mut self, line: usize) {
        for &(pool, slots) in &self.lines.get(line).demand {
            self.pools.get_mut(pool).used += slots;
        }
    }

    /// Takes one waiter out of its line.
    fn step_out(&mut self, index: usize, order: WaiterOrder, key: AttemptKey) {
        let line = self.lines.get_mut(index);
        line.waiters.remove(&(order, key));
        let empty = line.waiters.is_empty();
        for &(pool, _) in &line.demand {
            let pool = self.pools.get_mut(pool);
            pool.waiting -= 1;
            if empty {
                pool.lines.remove(&index);
            }
        }
    }

    fn forget_waiter(&mut self, key: &AttemptKey) {
        let Some(&Entry {
            line,
            waiting: Some(order),
            ..
        }) = self.attempts.get(key)
        else {
            return;
        };
        self.attempts.remove(key);
        self.step_out(line, order, *key);
        self.leave(line);
    }

    /// One attempt less has this line's demand; the last one takes the line away.
    fn leave(&mut self, index: usize) {
        let line = self.lines.get_mut(index);
        line.members -= 1;
        if line.members > 0 {
            return;
        }
        let line = self.lines.remove(index);
        for (pool, _) in &line.demand {
            self.pools.get_mut(*pool).references -= 1;
        }
        self.by_demand.remove(&line.demand);
    }

    /// Lets in, first in line first, every waiter that fits now that slots of these pools have come free.
    fn grant(&mut self, freed: &[(usize, u32)]) -> Vec<AttemptKey> {
        let mut granted = Vec::new();
        while let Some((order, key, line)) = self.first_that_fits(freed) {
            self.step_out(line, order, key);
            self.occupy(line);
            let entry = self.attempts.get_mut(&key).expect("whoever waits is known");
            entry.waiting = None;
            granted.push(key);
        }
        granted
    }

    fn first_that_fits(&self, freed: &[(usize, u32)]) -> Option<(WaiterOrder, AttemptKey, usize)> {
        let lines = freed.iter().flat_map(|&(pool, _)| &self.pools.get(pool).lines);
        let heads = lines.filter_map(|&index| {
            let line = self.lines.get(index);
            let &(order, key) = line.waiters.first()?;
            self.fits(&line.demand).then_some((order, key, index))
        });
        heads.min()
    }
}

impl Pool {
    fn has(&self, slots: u32) -> bool {
        self.used
            .checked_add(slots)
            .is_some_and(|wanted| wanted <= self.capacity)
    }
}

#[cfg(test)]
mod tests;
