//! Concurrency limits across runs.
//!
//! A *lease* is one attempt's hold on slots of one or more pools, keyed by its [`AttemptKey`], so taking it twice is
//! taking it once. Waiters stand in one order, [`WaiterOrder`], which gives priority, ageing and first-in-first-out in one
//! key; a freed slot goes to the first waiter that can use it, at once.

use serde::{Deserialize, Serialize};

use crate::ids::AttemptKey;
use crate::policy::PoolDemand;
use crate::time::Timestamp;

mod book;

pub use book::PoolBook;

/// Position in the waiting line; smaller goes first. `queued_at - priority x ageing`, in milliseconds: one point of
/// priority is worth `ageing` milliseconds of waiting, so nobody starves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WaiterOrder(pub i64);

impl WaiterOrder {
    /// The order of a task queued at `queued_at` with `priority`, when one point of priority outweighs `ageing_ms`.
    pub fn new(queued_at: Timestamp, priority: u8, ageing_ms: u64) -> WaiterOrder {
        let head_start = i64::from(priority).saturating_mul(i64::try_from(ageing_ms).unwrap_or(i64::MAX));
        WaiterOrder(queued_at.0.saturating_sub(head_start))
    }
}

/// Asks for slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// Who asks; the same key always means the same lease.
    pub key: AttemptKey,
    /// What it needs, sorted by pool name; all or none.
    pub demands: Vec<PoolDemand>,
    /// Its place in the line if it has to wait.
    pub order: WaiterOrder,
    /// The append of the run's journal that would record it: one more than what whoever asks has seen.
    pub seq: u64,
}

/// What became of leases that were given back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// The attempts that got the freed slots at once.
    pub granted: Vec<AttemptKey>,
    /// The attempts whose lease was asked for again by somebody who had seen more of the journal; they keep it.
    pub kept: Vec<AttemptKey>,
}

/// The answer to a [`LeaseRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseAnswer {
    /// The slots are held by this key.
    Taken,
    /// It stands in line; the named pools have no free slot for it.
    Waiting {
        /// The pools that are full, sorted.
        full: Vec<String>,
    },
    /// It can never be granted: the pool is unknown, or the demand exceeds its capacity.
    Impossible {
        /// The pool.
        pool: String,
        /// Its capacity; `None` when there is no such pool.
        capacity: Option<u32>,
    },
}

/// How full one pool is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolUsage {
    /// Name of the pool.
    pub pool: String,
    /// Slots.
    pub capacity: u32,
    /// Slots held by leases.
    pub used: u32,
    /// Attempts standing in line for it.
    pub waiting: u32,
}
