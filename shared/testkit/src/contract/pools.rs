//! [`Pools`]: all or none, never too many, once per key, and a freed slot goes to the first in line.

use futures_util::future::join_all;
use orchestrator_core::ids::{AttemptKey, NodeIx};
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::{LeaseAnswer, LeaseRequest, WaiterOrder};
use orchestrator_engine::ports::Pools;

use super::run;

/// The pools an adapter must have for this suite: `one` with 1 slot, `two` with 2, `three` with 3.
pub const CAPACITIES: [(&str, u32); 3] = [("one", 1), ("two", 2), ("three", 3)];

fn key(n: u32) -> AttemptKey {
    AttemptKey {
        run: run(u64::from(n)),
        node: NodeIx(n),
        epoch: 1,
        attempt: 1,
    }
}

/// Attempt `n` wants a slot of each of these pools.
pub(super) fn request(n: u32, pools: &[&str], order: i64) -> LeaseRequest {
    let demands = pools
        .iter()
        .map(|pool| PoolDemand {
            pool: (*pool).to_owned(),
            slots: 1,
        })
        .collect();
    LeaseRequest {
        key: key(n),
        demands,
        order: WaiterOrder(order),
        seq: 1,
    }
}

/// Gives back by somebody who has seen the journal; returns who got the slots.
async fn release(pools: &impl Pools, keys: &[AttemptKey]) -> Vec<AttemptKey> {
    let released = pools.release(keys, 1).await.expect("reachable");
    assert_eq!(released.kept, [], "asked for no later than what was seen");
    released.granted
}

async fn take(pools: &impl Pools, request: LeaseRequest) -> LeaseAnswer {
    let mut taken = pools
        .take(std::slice::from_ref(&request))
        .await
        .expect("reachable");
    assert_eq!(taken.len(), 1, "one answer per request");
    taken.remove(0).answer
}

fn waiting(full: &[&str]) -> LeaseAnswer {
    LeaseAnswer::Waiting {
        full: full.iter().map(|pool| (*pool).to_owned()).collect(),
    }
}

async fn used(pools: &impl Pools, pool: &str) -> (u32, u32) {
    let usage = pools.usage().await.expect("reachable");
    usage
        .iter()
        .find(|usage| usage.pool == pool)
        .map_or((0, 0), |usage| (usage.used, usage.waiting))
}

/// The whole contract, on an adapter with [`CAPACITIES`] and no leases.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(pools: &impl Pools) {
    taking_twice_is_taking_once(pools).await;
    all_or_none(pools).await;
    a_freed_slot_goes_to_the_first_in_line_at_once(pools).await;
    what_can_never_be_granted_is_said_so(pools).await;
    leases_never_exceed_the_capacity(pools).await;
    usage_is_what_was_seen_before(pools).await;
    a_lease_asked_for_again_is_kept_from_who_has_seen_less(pools).await;
}

async fn taking_twice_is_taking_once(pools: &impl Pools) {
    for _ in 0..2 {
        assert_eq!(take(pools, request(1, &["one"], 0)).await, LeaseAnswer::Taken);
    }
    for _ in 0..2 {
        assert_eq!(take(pools, request(2, &["one"], 0)).await, waiting(&["one"]));
    }
    assert_eq!(used(pools, "one").await, (1, 1));
    assert_eq!(release(pools, &[key(1)]).await, [key(2)]);
    assert_eq!(
        take(pools, request(2, &["one"], 0)).await,
        LeaseAnswer::Taken,
        "a grant is a lease"
    );
    for _ in 0..2 {
        assert_eq!(
            release(pools, &[key(2)]).await,
            [],
            "releasing twice is releasing once"
        );
    }
    assert_eq!(used(pools, "one").await, (0, 0));
}

async fn all_or_none(pools: &impl Pools) {
    assert_eq!(take(pools, request(1, &["one"], 0)).await, LeaseAnswer::Taken);
    assert_eq!(
        take(pools, request(2, &["one", "two"], 0)).await,
        waiting(&["one"])
    );
    assert_eq!(used(pools, "two").await, (0, 1), "a waiter holds nothing");
    assert_eq!(release(pools, &[key(1)]).await, [key(2)]);
    assert_eq!(
        (used(pools, "one").await, used(pools, "two").await),
        ((1, 0), (1, 0))
    );
    assert_eq!(release(pools, &[key(2)]).await, []);
}

async fn a_freed_slot_goes_to_the_first_in_line_at_once(pools: &impl Pools) {
    assert_eq!(take(pools, request(1, &["one"], 0)).await, LeaseAnswer::Taken);
    for (n, order) in [(2, 30), (3, 10), (4, 20)] {
        assert_eq!(take(pools, request(n, &["one"], order)).await, waiting(&["one"]));
    }
    assert_eq!(
        release(pools, &[key(3)]).await,
        [],
        "leaving the line frees nothing"
    );
    assert_eq!(
        release(pools, &[key(1)]).await,
        [key(4)],
        "the smallest order goes first"
    );
    assert_eq!(release(pools, &[key(4)]).await, [key(2)]);
    assert_eq!(release(pools, &[key(2)]).await, []);
}

async fn what_can_never_be_granted_is_said_so(pools: &impl Pools) {
    let unknown = take(pools, request(1, &["nowhere"], 0)).await;
    assert_eq!(
        unknown,
        LeaseAnswer::Impossible {
            pool: "nowhere".to_owned(),
            capacity: None
        }
    );
    let mut large = request(1, &["two"], 0);
    large.demands[0].slots = 3;
    let answer = take(pools, large).await;
    assert_eq!(
        answer,
        LeaseAnswer::Impossible {
            pool: "two".to_owned(),
            capacity: Some(2)
        }
    );
    assert_eq!(
        release(pools, &[key(1), key(99)]).await,
        [],
        "unknown keys are fine"
    );
}

async fn leases_never_exceed_the_capacity(pools: &impl Pools) {
    let requests: Vec<LeaseRequest> = (0..12).map(|n| request(n, &["three"], i64::from(n))).collect();
    let answers = join_all(
        requests
            .iter()
            .map(|request| pools.take(std::slice::from_ref(request))),
    )
    .await;
    let taken =
        |answer: &Vec<orchestrator_engine::ports::pools::Taken>| answer[0].answer == LeaseAnswer::Taken;
    let holders = answers
        .iter()
        .map(|answer| answer.as_ref().expect("reachable"))
        .filter(|a| taken(a))
        .count();
    assert_eq!(holders, 3, "as many as there are slots");
    assert_eq!(used(pools, "three").await, (3, 9));
    let mut granted = Vec::new();
    for n in 0..12 {
        granted.extend(release(pools, &[key(n)]).await);
        assert!(used(pools, "three").await.0 <= 3, "never more than the capacity");
    }
    granted.sort_unstable();
    granted.dedup();
    assert!(granted.len() <= 9, "nobody is granted twice");
    assert_eq!(used(pools, "three").await, (0, 0));
}

async fn usage_is_what_was_seen_before(pools: &impl Pools) {
    let requests = [
        request(1, &["two"], 0),
        request(2, &["two"], 0),
        request(3, &["two"], 0),
    ];
    let taken = pools.take(&requests).await.expect("reachable");
    let seen: Vec<_> = taken.iter().map(|taken| taken.usage.clone()).collect();
    assert_eq!(seen, [vec![0], vec![1], vec![2]], "in the order of the requests");
    release(pools, &[key(3), key(1), key(2)]).await;
}

async fn a_lease_asked_for_again_is_kept_from_who_has_seen_less(pools: &impl Pools) {
    for seq in [4, 6, 5] {
        let request = LeaseRequest {
            seq,
            ..request(1, &["one"], 0)
        };
        assert_eq!(take(pools, request).await, LeaseAnswer::Taken);
    }
    assert_eq!(take(pools, request(2, &["one"], 0)).await, waiting(&["one"]));
    let late = pools.release(&[key(1)], 5).await.expect("reachable");
    assert_eq!((late.granted, late.kept), (Vec::new(), vec![key(1)]));
    assert_eq!(used(pools, "one").await, (1, 1), "it is kept");
    let seen = pools.release(&[key(1)], 6).await.expect("reachable");
    assert_eq!((seen.granted, seen.kept), (vec![key(2)], Vec::new()));
    let early = pools.release(&[key(2)], 0).await.expect("reachable");
    assert_eq!(early.kept, [key(2)], "a grant keeps the number it waited with");
    assert_eq!(release(pools, &[key(2)]).await, []);
    assert_eq!(used(pools, "one").await, (0, 0));
}

/// What an adapter that knows all leases must do in addition: a key that holds other slots than it asks for keeps those.
///
/// # Panics
/// When it does not.
pub async fn check_one_lease_per_key(pools: &impl Pools) {
    assert_eq!(take(pools, request(1, &["two"], 0)).await, LeaseAnswer::Taken);
    let other = pools
        .take(&[request(1, &["three"], 0)])
        .await
        .expect("reachable")
        .remove(0);
    let held = PoolDemand {
        pool: "two".to_owned(),
        slots: 1,
    };
    assert_eq!(
        (other.answer, other.instead),
        (LeaseAnswer::Taken, Some(vec![held])),
        "it holds what it holds"
    );
    release(pools, &[key(1)]).await;
}
