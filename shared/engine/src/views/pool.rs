//! Pools, with who holds their slots and who waits.

use orchestrator_core::ids::RunId;
use orchestrator_core::pool::PoolUsage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All pools, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolList {
    /// The pools.
    pub pools: Vec<PoolView>,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Pool")]
pub struct PoolView {
    /// Its name: `gpu`, `cpu`, a configured one, `agent:NAME` or `runs:CLIENT`.
    pub pool: String,
    /// Slots.
    pub capacity: u32,
    /// Slots in use.
    pub used: u32,
    /// Attempts that wait for a slot.
    pub waiting: u32,
    /// Who holds slots, at most [`PoolView::SHOWN_MAX`].
    pub holders: Vec<LeaseView>,
    /// Who waits, first in line first, at most [`PoolView::SHOWN_MAX`].
    pub waiters: Vec<LeaseView>,
}

/// A holder or a waiter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Lease")]
pub struct LeaseView {
    /// The run.
    #[schemars(with = "String")]
    pub run_id: RunId,
    /// The task; absent when the run as a whole holds a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Epoch of the task.
    pub epoch: u32,
    /// Attempt within the epoch.
    pub attempt: u32,
}

impl PoolView {
    /// Most holders and waiters shown of one pool.
    pub const SHOWN_MAX: usize = 100;

    /// The view of a pool.
    pub fn of(usage: &PoolUsage, holders: Vec<LeaseView>, waiters: Vec<LeaseView>) -> PoolView {
        PoolView {
            pool: usage.pool.clone(),
            capacity: usage.capacity,
            used: usage.used,
            waiting: usage.waiting,
            holders,
            waiters,
        }
    }
}
