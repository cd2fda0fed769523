//! [`LeaseAudit`]: old leases are found until they are confirmed, free slots are handed on, and whoever got one is told.

use orchestrator_core::pool::{LeaseAnswer, LeaseRequest};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::{LeaseAudit, Pools};

use super::pools;

const LATER: Timestamp = Timestamp(i64::MAX / 2);

/// The whole contract, on an adapter with [`super::pools::CAPACITIES`] and no leases.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(adapter: &(impl Pools + LeaseAudit)) {
    for n in 0..3 {
        let taken = adapter.take(&[request(n)]).await.expect("reachable").remove(0);
        assert_eq!(taken.answer == LeaseAnswer::Taken, n < 2);
    }
    let old = adapter.old_leases(Timestamp(1), 10).await;
    assert_eq!(old, Ok(Vec::new()), "nothing is that old");
    let mut old = adapter.old_leases(LATER, 10).await.expect("reachable");
    old.sort_unstable();
    assert_eq!(
        old,
        [request(0).key, request(1).key],
        "places in line are no leases"
    );
    assert_eq!(
        adapter.old_leases(LATER, 1).await.map(|old| old.len()),
        Ok(1),
        "at most so many"
    );
    adapter
        .confirm(&[request(0).key], LATER)
        .await
        .expect("reachable");
    assert_eq!(
        adapter.old_leases(LATER, 10).await,
        Ok(vec![request(1).key]),
        "confirmed"
    );
    assert_eq!(adapter.hand_on(LATER).await, Ok(Vec::new()), "no slot is free");
    a_grant_is_told_again_until_its_run_has_asked(adapter).await;
}

/// The first two of [`request`] hold the slots, and the third stands in line.
async fn a_grant_is_told_again_until_its_run_has_asked(adapter: &(impl Pools + LeaseAudit)) {
    let [first, waiter] = [request(0).key, request(2).key];
    let released = adapter.release(&[first], 1).await.expect("reachable");
    assert_eq!(released.granted, [waiter]);
    let young = adapter.hand_on(Timestamp(0)).await;
    assert_eq!(young, Ok(Vec::new()), "whoever granted it is about to tell");
    for _ in 0..2 {
        let again = adapter.hand_on(LATER).await;
        assert_eq!(again, Ok(vec![waiter]), "whoever granted it may have died");
    }
    let older = LeaseRequest { seq: 0, ..request(2) };
    for (asks, told) in [(older, vec![waiter]), (request(2), Vec::new())] {
        let seq = asks.seq;
        let taken = adapter.take(&[asks]).await.expect("reachable").remove(0);
        assert_eq!(taken.answer, LeaseAnswer::Taken);
        assert_eq!(adapter.hand_on(LATER).await, Ok(told), "asked by turn {seq}");
    }
    assert_eq!(adapter.old_leases(LATER, 10).await.map(|old| old.len()), Ok(2));
}

/// Wants one of two slots.
fn request(n: u32) -> LeaseRequest {
    pools::request(n, &["two"], i64::from(n))
}
