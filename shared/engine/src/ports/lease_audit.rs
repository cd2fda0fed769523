//! Finding leases that nobody will give back.

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::time::Timestamp;

use crate::error::HostError;

/// Looks at leases from outside the runs that hold them, for hosts where a process can die between taking a lease and
/// recording it. Time alone never ends a lease: the journal of its run says whether it is still held.
///
/// Contract, checked by the testkit's `lease_audit` suite: what was taken before a time and not confirmed since is found;
/// confirmed leases are not found again until they are old again.
pub trait LeaseAudit {
    /// Keys of leases last taken or confirmed before `before`, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn old_leases(&self, before: Timestamp, limit: usize) -> Result<Vec<AttemptKey>, HostError>;

    /// Notes that these leases are in order at `now`.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn confirm(&self, keys: &[AttemptKey], now: Timestamp) -> Result<(), HostError>;

    /// Hands free slots to whoever waits for them, should a process have died before it did, or a pool have become larger.
    /// Returns who got them, and who was let in a while ago and has not asked since, should a process have died before it
    /// told; whoever gets the list tells their runs.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn hand_on(&self, now: Timestamp) -> Result<Vec<AttemptKey>, HostError>;
}
