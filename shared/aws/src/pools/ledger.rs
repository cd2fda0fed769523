//! The leases of some pools, decided about in memory and stored when nobody else has changed them.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use orchestrator_core::ids::{AttemptKey, NodeIx, RunId};
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::time::Timestamp;

use crate::fault::{Fault, Kind};

/// A lease; it is stored with every pool it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    /// Everything it holds, sorted by pool.
    pub demands: Vec<PoolDemand>,
    /// The append of the run it was taken for.
    pub for_append: u64,
    /// When it was taken, or last found to be in order.
    pub seen_at: Timestamp,
    /// Whether it was let in while it stood in line, and its run has not asked for it since: it may not know.
    pub is_untold: bool,
}

pub(super) type Leases = BTreeMap<AttemptKey, Lease>;

/// The leases of the pools that were read.
#[derive(Debug, Default)]
pub(super) struct Ledger(BTreeMap<String, Pool>);

#[derive(Debug)]
struct Pool {
    capacity: u32,
    version: u64,
    leases: Leases,
    is_changed: bool,
}

impl Ledger {
    pub(super) fn add(&mut self, name: String, capacity: u32, version: u64, leases: Leases) {
        let pool = Pool {
            capacity,
            version,
            leases,
            is_changed: false,
        };
        self.0.insert(name, pool);
    }

    pub(super) fn merge(&mut self, other: Ledger) {
        self.0.extend(other.0);
    }

    pub(super) fn has(&self, pool: &str) -> bool {
        self.0.contains_key(pool)
    }

    /// The pools that have changed: name, version as read, leases as stored.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&str, u64, Vec<u8>)> {
        let changed = self.0.iter().filter(|(_, pool)| pool.is_changed);
        changed.map(|(name, pool)| (name.as_str(), pool.version, encode(&pool.leases)))
    }

    pub(super) fn used(&self, pool: &str) -> u32 {
        let leases = self.0.get(pool).into_iter().flat_map(|pool| pool.leases.values());
        leases.map(|lease| slots(&lease.demands, pool)).sum()
    }

    /// The pools without room for the demands, sorted; empty: they fit.
    pub(super) fn full(&self, demands: &[PoolDemand]) -> Vec<String> {
        let is_full = |pool: &&str| {
            let capacity = self.0.get(*pool).map_or(0, |pool| pool.capacity);
            let wanted = self.used(pool).checked_add(slots(demands, pool));
            wanted.is_none_or(|wanted| wanted > capacity)
        };
        pools(demands)
            .into_iter()
            .filter(is_full)
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn lease(&self, key: &AttemptKey) -> Option<&Lease> {
        self.0.values().find_map(|pool| pool.leases.get(key))
    }

    pub(super) fn leases(&self) -> impl Iterator<Item = (&AttemptKey, &Lease)> {
        self.0.values().flat_map(|pool| &pool.leases)
    }

    /// Records a lease in every pool it is in. They have been read.
    pub(super) fn put(&mut self, key: AttemptKey, lease: &Lease) {
        for name in pools(&lease.demands) {
            let pool = self
                .0
                .get_mut(name)
                .expect("the pools of a lease are read before it is decided about");
            pool.leases.insert(key, lease.clone());
            pool.is_changed = true;
        }
    }

    /// Ends a lease in every pool it is in that was read.
    pub(super) fn remove(&mut self, key: &AttemptKey) {
        for pool in self.0.values_mut() {
            pool.is_changed |= pool.leases.remove(key).is_some();
        }
    }
}

/// Slots of one pool among the demands.
fn slots(demands: &[PoolDemand], pool: &str) -> u32 {
    let of_pool = demands.iter().filter(|demand| demand.pool == pool);
    of_pool.fold(0, |sum, demand| sum.saturating_add(demand.slots))
}

/// Names of the pools of the demands, each once, sorted.
pub(super) fn pools(demands: &[PoolDemand]) -> Vec<&str> {
    let mut pools: Vec<&str> = demands.iter().map(|demand| demand.pool.as_str()).collect();
    pools.sort_unstable();
    pools.dedup();
    pools
}

/// The stored form of a lease.
#[derive(Encode, Decode)]
struct Stored {
    #[cbor(n(0), with = "minicbor::bytes")]
    run: [u8; 16],
    #[n(1)]
    node: u32,
    #[n(2)]
    epoch: u32,
    #[n(3)]
    attempt: u32,
    #[n(4)]
    for_append: u64,
    #[n(5)]
    seen_at: i64,
    #[n(6)]
    demands: Vec<(String, u32)>,
    /// Nothing is stored for those that are not.
    #[n(7)]
    is_untold: Option<bool>,
}

pub(super) fn encode(leases: &Leases) -> Vec<u8> {
    let stored: Vec<Stored> = leases
        .iter()
        .map(|(key, lease)| Stored {
            run: key.run.to_bytes(),
            node: key.node.0,
            epoch: key.epoch,
            attempt: key.attempt,
            for_append: lease.for_append,
            seen_at: lease.seen_at.0,
            demands: stored_demands(&lease.demands),
            is_untold: lease.is_untold.then_some(true),
        })
        .collect();
    minicbor::to_vec(stored).expect("writing to memory does not fail")
}

pub(super) fn decode(bytes: &[u8]) -> Result<Leases, Fault> {
    let stored: Vec<Stored> = minicbor::decode(bytes).map_err(|error| Fault {
        kind: Kind::Fatal,
        detail: format!("the leases of a pool cannot be read: {error}"),
    })?;
    let lease = |stored: Stored| {
        let key = AttemptKey {
            run: RunId::from_bytes(stored.run),
            node: NodeIx(stored.node),
            epoch: stored.epoch,
            attempt: stored.attempt,
        };
        let lease = Lease {
            demands: demands_of(stored.demands),
            for_append: stored.for_append,
            seen_at: Timestamp(stored.seen_at),
            is_untold: stored.is_untold.unwrap_or(false),
        };
        (key, lease)
    };
    Ok(stored.into_iter().map(lease).collect())
}

pub(super) fn stored_demands(demands: &[PoolDemand]) -> Vec<(String, u32)> {
    demands
        .iter()
        .map(|demand| (demand.pool.clone(), demand.slots))
        .collect()
}

pub(super) fn demands_of(stored: Vec<(String, u32)>) -> Vec<PoolDemand> {
    stored
        .into_iter()
        .map(|(pool, slots)| PoolDemand { pool, slots })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(pool: &str, slots: u32) -> PoolDemand {
        PoolDemand {
            pool: pool.to_owned(),
            slots,
        }
    }

    fn key(n: u32) -> AttemptKey {
        AttemptKey {
            run: RunId::from_parts(1, 2),
            node: NodeIx(n),
            epoch: 1,
            attempt: 3,
        }
    }

    fn lease(demands: Vec<PoolDemand>) -> Lease {
        Lease {
            demands,
            for_append: 7,
            seen_at: Timestamp(1_700_000_000_000),
            is_untold: false,
        }
    }

    #[test]
    fn leases_are_read_back_and_short() {
        let lease = |n: u32| Lease {
            is_untold: n.is_multiple_of(2),
            ..lease(vec![demand("gpu", 1), demand("runs:ann", 2)])
        };
        let leases: Leases = (0..50).map(|n| (key(n), lease(n))).collect();
        let stored = encode(&leases);
        assert_eq!(decode(&stored).unwrap(), leases);
        assert!(stored.len() < 50 * 64, "{} bytes", stored.len());
        assert!(decode(b"nonsense").is_err());
    }

    #[test]
    fn slots_are_counted_per_pool() {
        let mut ledger = Ledger::default();
        ledger.add("gpu".to_owned(), 3, 0, Leases::new());
        ledger.add("disk".to_owned(), 1, 4, Leases::new());
        ledger.put(
            key(1),
            &lease(vec![demand("gpu", 1), demand("gpu", 1), demand("disk", 1)]),
        );
        assert_eq!((ledger.used("gpu"), ledger.used("disk")), (2, 1));
        assert_eq!(ledger.full(&[demand("gpu", 1)]), Vec::<String>::new());
        assert_eq!(
            ledger.full(&[demand("gpu", 2), demand("disk", 1)]),
            ["disk", "gpu"]
        );
        assert_eq!(ledger.full(&[demand("gpu", u32::MAX)]), ["gpu"]);
        assert_eq!(
            ledger
                .changed()
                .map(|(name, version, _)| (name, version))
                .collect::<Vec<_>>(),
            [("disk", 4), ("gpu", 0)]
        );
        ledger.remove(&key(1));
        assert_eq!((ledger.used("gpu"), ledger.lease(&key(1))), (0, None));
    }
}
