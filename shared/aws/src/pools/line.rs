//! Waiting lines: one item per waiter and pool, `W#<order>#<attempt>`, sorted by order.

use futures_util::future::try_join_all;
use orchestrator_core::ids::{AttemptKey, NodeIx, RunId};
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::WaiterOrder;
use orchestrator_core::time::Timestamp;

use super::TablePools;
use super::ledger::{Lease, demands_of, pools, stored_demands};
use crate::fault::{Fault, Kind};
use crate::table::item::{Item, bytes, bytes_of, number, number_of, text_of};
use crate::table::keys::{Key, PK, SK};
use crate::table::{Condition, Query};

/// Waiters looked at when a slot comes free. Further ones get their turn with the next slot; only demands for several
/// slots can make the first ones pass.
const LOOKED_AT: usize = 50;
/// Pages of 1 MB a line may have: about 7 000 waiters a page.
const PAGES_MAX: usize = 20;

const DEMANDS: &str = "demands";
const FOR_APPEND: &str = "for_append";
const SEEN_AT: &str = "seen_at";

/// Somebody in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiter {
    pub order: WaiterOrder,
    pub key: AttemptKey,
    pub lease: Lease,
}

impl Waiter {
    fn sort(&self) -> String {
        // Shifted, so that negative orders sort before positive ones.
        let order = i128::from(self.order.0) - i128::from(i64::MIN);
        let AttemptKey {
            run,
            node,
            epoch,
            attempt,
        } = self.key;
        format!("W#{order:020}#{run}#{}#{epoch}#{attempt}", node.0)
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let sort = self.sort();
        let key = move |pool: &str| Key {
            sk: sort.clone(),
            ..Key::pool(pool)
        };
        pools(&self.lease.demands)
            .into_iter()
            .map(key)
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn of(item: &Item) -> Result<Waiter, Fault> {
        let malformed = || Fault {
            kind: Kind::Fatal,
            detail: "a place in the line of a pool cannot be read".to_owned(),
        };
        let sort = text_of(item, SK)?;
        let parts: Vec<&str> = sort.split('#').collect();
        let [_, order, run, node, epoch, attempt] = parts[..] else {
            return Err(malformed());
        };
        let order: i128 = order.parse().map_err(|_| malformed())?;
        let order = i64::try_from(order + i128::from(i64::MIN)).map_err(|_| malformed())?;
        let run: RunId = run.parse().map_err(|_| malformed())?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| malformed());
        let stored: Vec<(String, u32)> =
            minicbor::decode(bytes_of(item, DEMANDS)?).map_err(|_| malformed())?;
        Ok(Waiter {
            order: WaiterOrder(order),
            key: AttemptKey {
                run,
                node: NodeIx(number(node)?),
                epoch: number(epoch)?,
                attempt: number(attempt)?,
            },
            lease: Lease {
                demands: demands_of(stored),
                for_append: number_of(item, FOR_APPEND)?,
                seen_at: Timestamp(number_of(item, SEEN_AT)?),
                is_untold: false,
            },
        })
    }

    fn demands(&self) -> Vec<u8> {
        minicbor::to_vec(stored_demands(&self.lease.demands)).expect("writing to memory does not fail")
    }
}

/// Whoever wants the same and stands further back cannot get it if the first does not.
pub(super) fn heads(waiters: Vec<Waiter>) -> Vec<Waiter> {
    let mut heads: Vec<Waiter> = Vec::new();
    let mut seen: Vec<Vec<PoolDemand>> = Vec::new();
    for waiter in waiters {
        if !seen.contains(&waiter.lease.demands) {
            seen.push(waiter.lease.demands.clone());
            heads.push(waiter);
        }
    }
    heads
}

impl TablePools {
    /// Stands in line, in every pool of its demands. A later turn that has taken the same place keeps it.
    pub(super) async fn stand_in_line(&self, waiter: &Waiter) -> Result<(), Fault> {
        let puts = waiter.keys().map(async |key: Key| {
            let mut item = key.to_item();
            item.insert(DEMANDS.to_owned(), bytes(waiter.demands()));
            item.insert(FOR_APPEND.to_owned(), number(waiter.lease.for_append));
            item.insert(SEEN_AT.to_owned(), number(waiter.lease.seen_at.0));
            let expression = format!("attribute_not_exists({PK}) OR for_append <= :for_append");
            let values = [(":for_append", number(waiter.lease.for_append))];
            self.table
                .put(item, 0, Some(Condition::new(&expression, values)))
                .await
        });
        try_join_all(puts).await.map(drop)
    }

    /// Leaves the line. A place that a later turn has taken since, under the same key, is another one and stays.
    pub(super) async fn leave_line(&self, waiter: &Waiter) -> Result<(), Fault> {
        let Lease {
            for_append, seen_at, ..
        } = waiter.lease;
        let values = [
            (":for_append", number(for_append)),
            (":seen_at", number(seen_at.0)),
        ];
        let is_same = Condition::new("for_append = :for_append AND seen_at = :seen_at", values);
        let deletes = waiter
            .keys()
            .map(async |key: Key| self.table.delete(&key, Some(is_same.clone())).await);
        try_join_all(deletes).await.map(drop)
    }

    /// The first in line for a pool.
    pub(super) async fn first_waiters(&self, pool: &str) -> Result<Vec<Waiter>, Fault> {
        let query = Query {
            page: i32::try_from(LOOKED_AT).ok(),
            ..line(pool)
        };
        self.waiters(query, true).await
    }

    /// The places of an attempt in the line of a pool.
    pub(super) async fn places_of(&self, pool: &str, key: &AttemptKey) -> Result<Vec<Waiter>, Fault> {
        let mut waiters = self.waiters(line(pool), false).await?;
        waiters.retain(|waiter| waiter.key == *key);
        Ok(waiters)
    }

    pub(super) async fn count_waiters(&self, pool: &str) -> Result<u32, Fault> {
        let waiters = self.waiters(line(pool), false).await?;
        Ok(u32::try_from(waiters.len()).unwrap_or(u32::MAX))
    }

    async fn waiters(&self, query: Query, first_page_only: bool) -> Result<Vec<Waiter>, Fault> {
        let mut items = Vec::new();
        let keep = |page: Vec<Item>| {
            items.extend(page);
            first_page_only
        };
        self.table.query(query, PAGES_MAX, keep).await?;
        items.iter().map(Waiter::of).collect()
    }
}

fn line(pool: &str) -> Query {
    Query::between(Key::pool(pool).pk, "W#".to_owned(), "W#~".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(order: i64) -> Waiter {
        Waiter {
            order: WaiterOrder(order),
            key: AttemptKey {
                run: RunId::from_parts(1, 2),
                node: NodeIx(u32::MAX),
                epoch: 0,
                attempt: 4,
            },
            lease: Lease {
                demands: vec![PoolDemand {
                    pool: "gpu".to_owned(),
                    slots: 2,
                }],
                for_append: 3,
                seen_at: Timestamp(9),
                is_untold: false,
            },
        }
    }

    #[test]
    fn places_sort_by_order_and_are_read_back() {
        let orders = [i64::MIN, -5, 0, 7, 1_700_000_000_000, i64::MAX];
        let sorts: Vec<String> = orders.iter().map(|order| waiter(*order).sort()).collect();
        assert!(sorts.is_sorted(), "{sorts:?}");
        for order in orders {
            let waiter = waiter(order);
            let mut item = waiter.keys().next().unwrap().to_item();
            item.insert(DEMANDS.to_owned(), bytes(waiter.demands()));
            item.insert(FOR_APPEND.to_owned(), number(3));
            item.insert(SEEN_AT.to_owned(), number(9));
            assert_eq!(Waiter::of(&item), Ok(waiter));
        }
    }
}
