//! Concurrency limits across runs.

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::{LeaseAnswer, LeaseRequest, PoolUsage, Released};

use crate::error::HostError;

/// Grants slots of named pools.
///
/// Contract, checked by the testkit's `pools` suite: leases of a pool never exceed its capacity (POOL-1); all pools of a
/// request are taken or none; a key that holds its lease and asks again is `Taken` again, one that waits keeps its place;
/// a freed slot is granted at once to the first waiter that can use it (POOL-3), in [`LeaseRequest::order`].
pub trait Pools {
    /// Takes leases; one answer per request, in order.
    ///
    /// # Errors
    /// When the store cannot be reached; some leases may have been taken, asking again settles it.
    async fn take(&self, requests: &[LeaseRequest]) -> Result<Vec<Taken>, HostError>;

    /// Gives back leases and places in line of attempts of one run, which have no use for them according to its journal up
    /// to append `seen`; unknown keys are fine. What was asked for again by a turn that had seen more
    /// ([`LeaseRequest::seq`] above `seen`) is kept and named: that turn may be recording it at this moment. Whoever gets
    /// the list of granted attempts tells their runs.
    ///
    /// # Errors
    /// When the store cannot be reached; releasing again settles it.
    async fn release(&self, keys: &[AttemptKey], seen: u64) -> Result<Released, HostError>;

    /// The same, when the run remembers that everything it gives back is in these pools. Spares adapters that keep leases
    /// by pool a search.
    ///
    /// # Errors
    /// When the store cannot be reached; releasing again settles it.
    async fn release_in(
        &self,
        pools: &[String],
        keys: &[AttemptKey],
        seen: u64,
    ) -> Result<Released, HostError> {
        let _ = pools;
        self.release(keys, seen).await
    }

    /// How full the pools are, sorted by name.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn usage(&self) -> Result<Vec<PoolUsage>, HostError>;
}

/// The answer to one request, with what was seen while answering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The answer.
    pub answer: LeaseAnswer,
    /// Used slots of each demanded pool just before, in the order of the demands; recorded with the decision.
    pub usage: Vec<u32>,
    /// What the key holds already, if that is something else than it asked for now (an earlier turn took it and was lost):
    /// the task then runs with that. `usage` is in its order.
    pub instead: Option<Vec<PoolDemand>>,
}
