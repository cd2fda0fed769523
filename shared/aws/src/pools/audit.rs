//! Finding leases whose release was lost.

use std::collections::BTreeSet;

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::LeaseAudit;

use super::ledger::Lease;
use super::{TablePools, of_pools, try_again};
use crate::fault::Fault;

/// How long whoever let an attempt in has for telling its run, milliseconds. Telling it twice costs a message.
const TOLD_MS: i64 = 30_000;

impl LeaseAudit for TablePools {
    async fn old_leases(&self, before: Timestamp, limit: usize) -> Result<Vec<AttemptKey>, HostError> {
        let old = async {
            let names = self.names().await?;
            let ledger = self.load(names).await?;
            let old = ledger.leases().filter(|(_, lease)| lease.seen_at < before);
            let mut old: Vec<(Timestamp, AttemptKey)> =
                old.map(|(key, lease)| (lease.seen_at, *key)).collect();
            old.sort_unstable();
            old.dedup();
            old.truncate(limit);
            Ok(old.into_iter().map(|(_, key)| key).collect())
        };
        old.await.map_err(of_pools)
    }

    async fn confirm(&self, keys: &[AttemptKey], now: Timestamp) -> Result<(), HostError> {
        self.confirm_all(keys, now).await.map_err(of_pools)
    }

    async fn hand_on(&self, now: Timestamp) -> Result<Vec<AttemptKey>, HostError> {
        let told = async {
            let names: BTreeSet<String> = self.names().await?.into_iter().collect();
            let mut told = self.untold(&names, now).await?;
            told.extend(self.grant(names, now).await?);
            Ok(told.into_iter().collect())
        };
        told.await.map_err(of_pools)
    }
}

impl TablePools {
    /// Who was let in a while ago and has not asked since.
    async fn untold(&self, names: &BTreeSet<String>, now: Timestamp) -> Result<BTreeSet<AttemptKey>, Fault> {
        let ledger = self.load(names.iter().cloned()).await?;
        let before = Timestamp(now.0 - TOLD_MS);
        let untold = ledger
            .leases()
            .filter(|(_, lease)| lease.is_untold && lease.seen_at < before);
        Ok(untold.map(|(key, _)| *key).collect())
    }

    async fn confirm_all(&self, keys: &[AttemptKey], now: Timestamp) -> Result<(), Fault> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut tried = 0;
        loop {
            let mut ledger = self.load(self.names().await?).await?;
            for key in keys {
                if let Some(lease) = ledger.lease(key).cloned() {
                    ledger.put(
                        *key,
                        &Lease {
                            seen_at: now,
                            ..lease
                        },
                    );
                }
            }
            if self.store(&ledger).await? {
                return Ok(());
            }
            tried += 1;
            try_again(tried).await?;
        }
    }
}
