//! Use case `sla_sweep`, its part about pools: leases that their runs do not hold go to the next in line.

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::time::Timestamp;

use crate::effects::{granted, holds};
use crate::engine::Engine;
use crate::error::Error;
use crate::ports::lease_audit::LeaseAudit;
use crate::ports::{Clock, Messages, Pools, Ports};

/// How long a lease is believed without asking its run, milliseconds. Longer than any message is tried again.
const BELIEVED_MS: i64 = 900_000;

/// What an audit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Leases that are in order.
    pub confirmed: usize,
    /// Leases that were given back.
    pub released: usize,
    /// Attempts that were let in.
    pub granted: usize,
}

impl<P: Ports> Engine<P> {
    /// Asks the runs of at most `limit` old leases whether they still hold them, gives back those they do not, and tells
    /// the runs of whoever is let in. The cost follows what is old.
    ///
    /// # Errors
    /// When a store cannot be reached; doing it again settles it.
    pub async fn reclaim(&self, audit: &impl LeaseAudit, limit: usize) -> Result<Reclaimed, Error> {
        let now = self.ports.clock().now();
        let mut old = audit.old_leases(Timestamp(now.0 - BELIEVED_MS), limit).await?;
        old.sort_unstable();
        let mut confirmed: Vec<AttemptKey> = Vec::new();
        let mut released = 0;
        let mut let_in = Vec::new();
        for keys in old.chunk_by(|left, right| left.run == right.run) {
            let run = keys[0].run;
            let (held, seen) = match self.load(run).await {
                Ok(session) => {
                    let held: Vec<AttemptKey> = keys
                        .iter()
                        .copied()
                        .filter(|key| holds(session.state(), *key))
                        .collect();
                    (held, session.seq())
                }
                Err(Error::UnknownRun(_)) => (Vec::new(), 0),
                Err(error) => return Err(error),
            };
            let lost: Vec<AttemptKey> = keys.iter().copied().filter(|key| !held.contains(key)).collect();
            // The turn that took it has long since failed: it never made its append.
            let freed = self.ports.pools().release(&lost, seen + 1).await?;
            released += lost.len() - freed.kept.len();
            let_in.extend(freed.granted);
            confirmed.extend(held);
        }
        audit.confirm(&confirmed, now).await?;
        let_in.extend(audit.hand_on(now).await?);
        let reclaimed = Reclaimed {
            confirmed: confirmed.len(),
            released,
            granted: let_in.len(),
        };
        if !let_in.is_empty() {
            self.ports.messages().send(granted(let_in)).await?;
        }
        Ok(reclaimed)
    }
}
