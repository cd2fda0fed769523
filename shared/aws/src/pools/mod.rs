//! Pools on the table.
//!
//! A pool is one item with its leases, and one item per waiter, sorted by their order, so that an operation costs what it
//! touches, however long the line is. Every change of a pool's item is conditional on its version; leases in several
//! pools are taken in one transaction.
//!
//! A slot is never left free while somebody can use it: whoever finds no room stores its place in line *and then* looks
//! again whether there is room; whoever frees a slot stores that *and then* looks again at the line. Reads are strongly
//! consistent, so at least one of two such parties sees the other.
//!
//! Whoever hands slots on may die before it has told the runs that got them. So a lease says that it was granted to somebody
//! in line until its run has asked for it, and the sweep tells again of grants that nobody has asked for in a while.
//!
//! A lease names the append of its run it was taken for. A release that has seen less of the journal than that does not
//! end it: the turn that took it under the same key may be the one that counts. Leases never expire by time alone, because
//! nobody may work without one: [`orchestrator_engine::ports::LeaseAudit`] finds old ones, and the journal decides.

mod audit;
mod give_back;
mod ledger;
mod line;
mod take;
mod view;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use futures_util::future::try_join_all;
use orchestrator_core::ids::AttemptKey;
use orchestrator_core::pool::{LeaseRequest, PoolUsage, Released};
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::pools::Taken;
use orchestrator_engine::ports::{Clock, Pools};

use crate::clock::{SystemClock, jitter, random_bytes};
use crate::fault::{Fault, Kind};
use crate::table::item::{Item, bytes, bytes_of, number, number_of, size, text_of};
use crate::table::keys::{Key, PK, POOLS, SK};
use crate::table::{BYTES_MAX, Condition, Query, Table, Written};
use ledger::Ledger;
pub use view::PoolLeases;

/// Tries of an operation whose pools keep changing.
const TRIES_MAX: u32 = 24;
/// Longest wait between two tries, milliseconds; grows up to this.
const BACKOFF_MAX_MS: u64 = 200;
/// Prefix of the pools that hold the places of a client's runs; they are made on demand.
const PLACES: &str = "runs:";
/// Pages of known pools.
const PAGES_MAX: usize = 10;

/// A pool of so many slots or more is not counted, which saves two writes a task. Leases of smaller ones must fit into an
/// item: about 5 000 at a time.
pub const UNLIMITED: u32 = 1_000_000;

const VERSION: &str = "v";
/// Who wrote the item: a number drawn for each write.
const WRITER: &str = "w";
const LEASES: &str = "leases";

/// The pools of a deployment.
#[derive(Debug, Clone)]
pub struct TablePools {
    table: Table,
    capacities: BTreeMap<String, u32>,
    /// Concurrent runs of each client.
    places: u32,
}

impl TablePools {
    /// Pools with these capacities; every client may have `places` runs at a time.
    pub fn new(table: Table, capacities: BTreeMap<String, u32>, places: u32) -> TablePools {
        TablePools {
            table,
            capacities,
            places,
        }
    }

    fn capacity(&self, pool: &str) -> Option<u32> {
        match self.capacities.get(pool) {
            Some(capacity) => Some(*capacity),
            None => pool.starts_with(PLACES).then_some(self.places),
        }
    }

    /// Whether the pool has so many slots that nobody counts them.
    fn is_unlimited(&self, pool: &str) -> bool {
        self.capacity(pool).is_some_and(|capacity| capacity >= UNLIMITED)
    }

    /// Reads pools as they are.
    async fn load(&self, pools: impl IntoIterator<Item = String>) -> Result<Ledger, Fault> {
        let read = pools.into_iter().map(async |pool: String| {
            let item = self.table.get(&Key::pool(&pool)).await?;
            let (version, leases) = match &item {
                Some(item) => (
                    number_of(item, VERSION)?,
                    ledger::decode(bytes_of(item, LEASES)?)?,
                ),
                None => (0, BTreeMap::new()),
            };
            Ok((pool, version, leases))
        });
        let mut ledger = Ledger::default();
        for (pool, version, leases) in try_join_all(read).await? {
            let capacity = self.capacity(&pool).unwrap_or(0);
            ledger.add(pool, capacity, version, leases);
        }
        Ok(ledger)
    }

    /// Stores the pools that have changed, all or none; `false`: somebody else has changed one of them.
    async fn store(&self, ledger: &Ledger) -> Result<bool, Fault> {
        let mut items = Vec::new();
        for (pool, version, leases) in ledger.changed() {
            let mut item = Key::pool(pool).to_item();
            item.insert(VERSION.to_owned(), number(version + 1));
            item.insert(LEASES.to_owned(), bytes(leases));
            if size(&item) > BYTES_MAX {
                return Err(Fault {
                    kind: Kind::Fatal,
                    detail: format!("pool '{pool}' has too many leases for one item (make it smaller)"),
                });
            }
            if version == 0 {
                // So that usage and audits find pools that no configuration names.
                self.table.put(Key::known_pool(pool).to_item(), 0, None).await?;
            }
            items.push((item, unchanged(version)));
        }
        match items.len() {
            0 => Ok(true),
            1 => {
                let (mut item, condition) = items.remove(0);
                let writer: [u8; 8] = random_bytes();
                item.insert(WRITER.to_owned(), bytes(writer));
                Ok(match self.table.put(item, 0, Some(condition)).await? {
                    Written::Done => true,
                    // An answer was lost and the request sent again.
                    Written::Refused(Some(item)) => bytes_of(&item, WRITER) == Ok(&writer[..]),
                    Written::Refused(None) => false,
                })
            }
            _ => self.store_all(items).await,
        }
    }

    async fn store_all(&self, items: Vec<(Item, Condition)>) -> Result<bool, Fault> {
        let mut request = self.table.client.transact_write_items();
        for (item, condition) in items {
            self.table.meter.write_in_transaction(size(&item));
            let values = (!condition.values.is_empty()).then_some(condition.values);
            let put = Put::builder()
                .table_name(&self.table.name)
                .set_item(Some(item))
                .condition_expression(condition.expression)
                .set_expression_attribute_values(values)
                .build()
                .expect("a put has a table and an item");
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => {
                let fault = Fault::of(&error);
                let is_cancelled = matches!(&error, SdkError::ServiceError(error) if error.err().is_transaction_canceled_exception());
                match is_cancelled || fault.kind == Kind::Conflict {
                    true => Ok(false),
                    false => Err(fault),
                }
            }
        }
    }

    /// Names of all pools: the configured ones, and those of clients that were ever used.
    async fn names(&self) -> Result<Vec<String>, Fault> {
        let mut names: Vec<String> = self.capacities.keys().cloned().collect();
        let keep = |page: Vec<Item>| {
            names.extend(
                page.iter()
                    .filter_map(|item| text_of(item, SK).ok().map(str::to_owned)),
            );
            false
        };
        self.table.query(Query::partition(POOLS), PAGES_MAX, keep).await?;
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

/// The pool's item is as it was read.
fn unchanged(version: u64) -> Condition {
    match version {
        0 => Condition {
            expression: format!("attribute_not_exists({PK})"),
            ..Condition::default()
        },
        version => Condition::new("v = :version", [(":version", number(version))]),
    }
}

/// Waits before another try; an error when there have been enough.
async fn try_again(tried: u32) -> Result<(), Fault> {
    if tried >= TRIES_MAX {
        return Err(Fault {
            kind: Kind::Throttled,
            detail: format!("pools changed {TRIES_MAX} times while they were being decided about"),
        });
    }
    tokio::time::sleep(jitter((10 << tried.min(5)).min(BACKOFF_MAX_MS))).await;
    Ok(())
}

fn of_pools(fault: Fault) -> HostError {
    fault.in_part("the store of pools")
}

impl Pools for TablePools {
    async fn take(&self, requests: &[LeaseRequest]) -> Result<Vec<Taken>, HostError> {
        self.take_all(requests, SystemClock.now()).await.map_err(of_pools)
    }

    async fn release(&self, keys: &[AttemptKey], seen: u64) -> Result<Released, HostError> {
        let released = async {
            let mut names = self.names().await?;
            if !keys.iter().any(|key| key.is_admission()) {
                names.retain(|pool| !pool.starts_with(PLACES));
            }
            self.release_all(names.into_iter().collect(), keys, seen, SystemClock.now())
                .await
        };
        released.await.map_err(of_pools)
    }

    async fn release_in(
        &self,
        pools: &[String],
        keys: &[AttemptKey],
        seen: u64,
    ) -> Result<Released, HostError> {
        let names = pools.iter().cloned().collect();
        let released = self.release_all(names, keys, seen, SystemClock.now());
        released.await.map_err(of_pools)
    }

    async fn usage(&self) -> Result<Vec<PoolUsage>, HostError> {
        let usage = async {
            let names = self.names().await?;
            let ledger = self.load(names.iter().cloned()).await?;
            let waiting = try_join_all(names.iter().map(|pool| self.count_waiters(pool))).await?;
            let usage = names.into_iter().zip(waiting).map(|(pool, waiting)| PoolUsage {
                capacity: self.capacity(&pool).unwrap_or(0),
                used: ledger.used(&pool),
                waiting,
                pool,
            });
            Ok(usage.collect())
        };
        usage.await.map_err(of_pools)
    }
}
