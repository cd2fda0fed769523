//! Giving leases back, and handing freed slots on.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use orchestrator_core::ids::AttemptKey;
use orchestrator_core::pool::Released;
use orchestrator_core::time::Timestamp;

use super::ledger::{Lease, Ledger, pools};
use super::line::{Waiter, heads};
use super::{TablePools, try_again};
use crate::fault::Fault;

/// Grants handed out for one call; more than any release frees.
const GRANTS_MAX: usize = 10_000;

/// What ending leases came to.
#[derive(Default)]
struct Ended {
    /// Pools in which slots came free.
    freed: BTreeSet<String>,
    /// Leases that a later turn has asked for again.
    kept: Vec<AttemptKey>,
    /// Attempts without a lease: they may stand in line.
    unknown: Vec<AttemptKey>,
}

impl TablePools {
    /// Ends leases and places in line, looking for them in these pools.
    pub(super) async fn release_all(
        &self,
        names: BTreeSet<String>,
        keys: &[AttemptKey],
        seen: u64,
        now: Timestamp,
    ) -> Result<Released, Fault> {
        if keys.is_empty() {
            return Ok(Released::default());
        }
        let names: BTreeSet<String> = names
            .into_iter()
            .filter(|pool| !self.is_unlimited(pool))
            .collect();
        let Ended {
            freed,
            mut kept,
            unknown,
        } = self.end(&names, keys, seen).await?;
        for key in unknown {
            if self.leave_lines(&names, key, seen).await? {
                kept.push(key);
            }
        }
        let granted = self.grant(freed, now).await?;
        Ok(Released { granted, kept })
    }

    async fn end(&self, names: &BTreeSet<String>, keys: &[AttemptKey], seen: u64) -> Result<Ended, Fault> {
        let mut tried = 0;
        loop {
            let mut ledger = self.load(names.iter().cloned()).await?;
            let mut ended = Ended::default();
            for key in keys {
                match ledger.lease(key).cloned() {
                    Some(lease) if lease.for_append <= seen => {
                        self.load_missing(&mut ledger, pools(&lease.demands)).await?;
                        ended
                            .freed
                            .extend(pools(&lease.demands).into_iter().map(str::to_owned));
                        ledger.remove(key);
                    }
                    Some(_) => ended.kept.push(*key),
                    None => ended.unknown.push(*key),
                }
            }
            if self.store(&ledger).await? {
                return Ok(ended);
            }
            tried += 1;
            try_again(tried).await?;
        }
    }

    /// Leaves the lines of these pools; `true`: a place was asked for again by a turn that has seen more, and is kept.
    async fn leave_lines(&self, names: &BTreeSet<String>, key: AttemptKey, seen: u64) -> Result<bool, Fault> {
        let places = names.iter().map(|pool| self.places_of(pool, &key));
        let mut is_kept = false;
        for place in try_join_all(places).await?.concat() {
            if place.lease.for_append <= seen {
                self.leave_line(&place).await?;
            } else {
                is_kept = true;
            }
        }
        Ok(is_kept)
    }

    /// Lets in, first in line first, every waiter that fits now that slots of these pools have come free.
    pub(super) async fn grant(
        &self,
        freed: BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Vec<AttemptKey>, Fault> {
        let mut granted = Vec::new();
        let mut tried = 0;
        while granted.len() < GRANTS_MAX {
            let lines = try_join_all(freed.iter().map(|pool| self.first_waiters(pool))).await?;
            let mut waiters = lines.concat();
            if waiters.is_empty() {
                break;
            }
            waiters.sort_unstable_by_key(|waiter| (waiter.order, waiter.key));
            waiters.dedup();
            let mut ledger = self.load(freed.iter().cloned()).await?;
            let (let_in, gone) = self.choose(&mut ledger, waiters, now).await?;
            if !self.store(&ledger).await? {
                tried += 1;
                try_again(tried).await?;
                continue;
            }
            // Only now: a place in line that outlives its grant is found and dropped by the next one.
            try_join_all(let_in.iter().chain(&gone).map(|waiter| self.leave_line(waiter))).await?;
            if let_in.is_empty() && gone.is_empty() {
                break;
            }
            granted.extend(let_in.into_iter().map(|waiter| waiter.key));
        }
        Ok(granted)
    }

    /// Who of the waiters gets in, and who holds what it waits for already.
    async fn choose(
        &self,
        ledger: &mut Ledger,
        waiters: Vec<Waiter>,
        now: Timestamp,
    ) -> Result<(Vec<Waiter>, Vec<Waiter>), Fault> {
        let mut let_in = Vec::new();
        let mut rest = Vec::new();
        let mut gone = Vec::new();
        for waiter in waiters {
            match ledger.lease(&waiter.key) {
                Some(_) => gone.push(waiter),
                None => rest.push(waiter),
            }
        }
        for head in heads(rest.clone()) {
            self.load_missing(ledger, pools(&head.lease.demands)).await?;
        }
        for waiter in rest {
            if ledger.full(&waiter.lease.demands).is_empty() {
                let lease = Lease {
                    seen_at: now,
                    is_untold: true,
                    ..waiter.lease.clone()
                };
                ledger.put(waiter.key, &lease);
                let_in.push(waiter);
            }
        }
        Ok((let_in, gone))
    }

    pub(super) async fn load_missing(&self, ledger: &mut Ledger, names: Vec<&str>) -> Result<(), Fault> {
        let missing: Vec<String> = names
            .into_iter()
            .filter(|name| !ledger.has(name))
            .map(str::to_owned)
            .collect();
        if !missing.is_empty() {
            ledger.merge(self.load(missing).await?);
        }
        Ok(())
    }
}
