//! [`LeaseAudit`]: old leases are found until they are confirmed, and free slots are handed on.

use orchestrator_core::ids::{AttemptKey, NodeIx};
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::{LeaseAnswer, LeaseRequest, WaiterOrder};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::{LeaseAudit, Pools};

use super::run;

/// The whole contract, on an adapter with [`super::pools::CAPACITIES`] and no leases.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(pools: &(impl Pools + LeaseAudit)) {
    const LATER: Timestamp = Timestamp(i64::MAX / 2);
    let request = |n: u32| LeaseRequest {
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
    };
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
}
