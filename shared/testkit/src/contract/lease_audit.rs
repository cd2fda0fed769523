//! [`LeaseAudit`]: old leases are found until they are confirmed, free slots are handed on, and whoever got one is told.

use orchestrator_core::ids::{AttemptKey, NodeIx};
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::{LeaseAnswer, LeaseRequest, WaiterOrder};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::{LeaseAudit, Pools};

use super::run;

const LATER: Timestamp = Timestamp(i64::MAX / 2);

/// The whole contract, on an adapter with [`super::pools::CAPACITIES`] and no leases.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(pools: &(impl Pools + LeaseAudit)) {
    for n in 0..3 {
        let taken = pools.take(&[request(n)]).await.expect("reachable").remove(0);
        assert_eq!(taken.answer == LeaseAnswer::Taken, n < 2);
    }
    let old = pools.old_leases(Timestamp(1), 10).await;
    assert_eq!(old, Ok(Vec::new()), "nothing is that old");
    let mut old = pools.old_leases(LATER, 10).await.expect("reachable");
    old.sort_unstable();
    assert_eq!(
        old,
        [request(0).key, request(1).key],
        "places in line are no leases"
    );
    assert_eq!(
        pools.old_leases(LATER, 1).await.map(|old| old.len()),
        Ok(1),
        "at most so many"
    );
    pools.confirm(&[request(0).key], LATER).await.expect("reachable");
    assert_eq!(
        pools.old_leases(LATER, 10).await,
        Ok(vec![request(1).key]),
        "confirmed"
    );
    assert_eq!(pools.hand_on(LATER).await, Ok(Vec::new()), "no slot is free");
    a_grant_is_told_again_until_its_run_has_asked(pools).await;
}

/// The first two of [`request`] hold the slots, and the third stands in line.
async fn a_grant_is_told_again_until_its_run_has_asked(pools: &(impl Pools + LeaseAudit)) {
    let [first, waiter] = [request(0).key, request(2).key];
    let released = pools.release(&[first], 1).await.expect("reachable");
    assert_eq!(released.granted, [waiter]);
    let young = pools.hand_on(Timestamp(0)).await;
    assert_eq!(young, Ok(Vec::new()), "whoever granted it is about to tell");
    for _ in 0..2 {
        let again = pools.hand_on(LATER).await;
        assert_eq!(again, Ok(vec![waiter]), "whoever granted it may have died");
    }
    let older = LeaseRequest { seq: 0, ..request(2) };
    for (asks, told) in [(older, vec![waiter]), (request(2), Vec::new())] {
        let seq = asks.seq;
        let taken = pools.take(&[asks]).await.expect("reachable").remove(0);
        assert_eq!(taken.answer, LeaseAnswer::Taken);
        assert_eq!(pools.hand_on(LATER).await, Ok(told), "asked by turn {seq}");
    }
    assert_eq!(pools.old_leases(LATER, 10).await.map(|old| old.len()), Ok(2));
}

/// Wants one of two slots.
fn request(n: u32) -> LeaseRequest {
    LeaseRequest {
        key: AttemptKey {
            run: run(u64::from(n)),
            node: NodeIx(n),
            epoch: 1,
            attempt: 1,
        },
        demands: vec![PoolDemand {
            pool: "two".to_owned(),
            slots: 1,
        }],
        order: WaiterOrder(i64::from(n)),
        seq: 1,
    }
}
