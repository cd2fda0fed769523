//! The rules of pools, by example and for any sequence of requests.

use proptest::prelude::*;

use super::*;
use crate::ids::{NodeIx, RunId};
use crate::pool::PoolUsage;

fn key(node: u32) -> AttemptKey {
    AttemptKey {
        run: RunId::from_parts(1, 0),
        node: NodeIx(node),
        epoch: 1,
        attempt: 1,
    }
}

fn demands(pools: &[(&str, u32)]) -> Vec<PoolDemand> {
    pools
        .iter()
        .map(|(pool, slots)| PoolDemand {
            pool: (*pool).to_owned(),
            slots: *slots,
        })
        .collect()
}

fn ask(node: u32, pools: &[(&str, u32)], order: i64) -> LeaseRequest {
    LeaseRequest {
        key: key(node),
        demands: demands(pools),
        order: WaiterOrder(order),
        seq: 1,
    }
}

/// Gives back by somebody who has seen the whole journal; returns who gets the slots.
fn release(book: &mut PoolBook, key: AttemptKey) -> Vec<AttemptKey> {
    let released = book.release(&[key], u64::MAX);
    assert_eq!(released.kept, []);
    released.granted
}

fn book(capacities: &[(&str, u32)]) -> PoolBook {
    PoolBook::new(
        capacities
            .iter()
            .map(|(pool, capacity)| ((*pool).to_owned(), *capacity))
            .collect(),
    )
}

fn waiting(full: &[&str]) -> LeaseAnswer {
    LeaseAnswer::Waiting {
        full: full.iter().map(|pool| (*pool).to_owned()).collect(),
    }
}

#[test]
fn a_freed_slot_goes_to_the_first_in_line_by_order_not_by_arrival() {
    let mut book = book(&[("gpu", 1)]);
    assert_eq!(book.take(ask(1, &[("gpu", 1)], 10)), LeaseAnswer::Taken);
    assert_eq!(book.take(ask(2, &[("gpu", 1)], 30)), waiting(&["gpu"]));
    assert_eq!(book.take(ask(3, &[("gpu", 1)], 20)), waiting(&["gpu"]));
    assert_eq!(release(&mut book, key(1)), [key(3)]);
    assert_eq!(book.holders("gpu"), [key(3)]);
    assert_eq!(book.waiters("gpu"), [(WaiterOrder(30), key(2))]);
}

#[test]
fn taking_twice_is_taking_once_and_asking_again_while_waiting_only_moves_the_place() {
    let mut book = book(&[("gpu", 1)]);
    book.take(ask(1, &[("gpu", 1)], 1));
    assert_eq!(book.take(ask(1, &[("gpu", 1)], 1)), LeaseAnswer::Taken);
    book.take(ask(2, &[("gpu", 1)], 2));
    book.take(ask(3, &[("gpu", 1)], 3));
    assert_eq!(book.take(ask(3, &[("gpu", 1)], 0)), waiting(&["gpu"]));
    let usage = PoolUsage {
        pool: "gpu".to_owned(),
        capacity: 1,
        used: 1,
        waiting: 2,
    };
    assert_eq!(book.usage(), [usage]);
    assert_eq!(release(&mut book, key(1)), [key(3)]);
    assert_eq!(
        release(&mut book, key(1)),
        [],
        "releasing twice is releasing once"
    );
}

#[test]
fn several_pools_are_taken_all_or_none_and_a_blocked_waiter_lets_others_pass() {
    let mut book = book(&[("gpu", 1), ("licence", 1)]);
    assert_eq!(book.take(ask(1, &[("gpu", 1)], 1)), LeaseAnswer::Taken);
    assert_eq!(
        book.take(ask(2, &[("gpu", 1), ("licence", 1)], 2)),
        waiting(&["gpu"])
    );
    assert_eq!(
        book.take(ask(3, &[("licence", 1)], 3)),
        LeaseAnswer::Taken,
        "it must not stand idle (POOL-3)"
    );
    assert_eq!(release(&mut book, key(1)), []);
    assert_eq!(release(&mut book, key(3)), [key(2)]);
}

#[test]
fn what_can_never_be_granted_is_refused_with_the_pool_and_its_capacity() {
    let mut book = book(&[("gpu", 2)]);
    let answer = book.take(ask(1, &[("gpu", 3)], 1));
    assert_eq!(
        answer,
        LeaseAnswer::Impossible {
            pool: "gpu".to_owned(),
            capacity: Some(2)
        }
    );
    let answer = book.take(ask(1, &[("tpu", 1)], 1));
    assert_eq!(
        answer,
        LeaseAnswer::Impossible {
            pool: "tpu".to_owned(),
            capacity: None
        }
    );
    assert_eq!(release(&mut book, key(1)), []);
}

#[test]
fn a_pool_restored_above_its_capacity_grants_nothing_until_it_has_drained() {
    let mut book = book(&[("gpu", 1)]);
    book.restore(key(1), &demands(&[("gpu", 1)]), 1);
    book.restore(key(2), &demands(&[("gpu", 1), ("gone", 1)]), 1);
    book.restore(key(2), &demands(&[("gpu", 1), ("gone", 1)]), 1);
    assert_eq!(book.take(ask(3, &[("gpu", 1)], 0)), waiting(&["gpu"]));
    assert_eq!(release(&mut book, key(1)), []);
    assert_eq!(release(&mut book, key(2)), [key(3)]);
    assert!(book.retire("gone"));
    assert!(!book.retire("gpu"), "key 3 holds it");
}

#[test]
fn a_larger_capacity_lets_waiters_in_and_a_smaller_one_takes_nothing_away() {
    let mut book = book(&[("cpu", 1)]);
    for node in 0..4 {
        book.take(ask(node, &[("cpu", 1)], i64::from(node)));
    }
    assert_eq!(book.set_capacity("cpu", 3), [key(1), key(2)]);
    assert_eq!(book.set_capacity("cpu", 1), []);
    assert_eq!(release(&mut book, key(0)), []);
    assert_eq!(book.holders("cpu"), [key(1), key(2)]);
    assert_eq!(release(&mut book, key(3)), [], "a waiter leaves the line");
    assert_eq!(book.usage()[0].waiting, 0);
}

#[test]
fn what_was_asked_for_again_by_a_later_turn_is_kept_from_an_earlier_one() {
    let mut book = book(&[("gpu", 1)]);
    let asked = |node: u32, seq: u64| LeaseRequest {
        seq,
        ..ask(node, &[("gpu", 1)], 0)
    };
    assert_eq!(book.take(asked(1, 5)), LeaseAnswer::Taken);
    assert_eq!(book.take(asked(1, 7)), LeaseAnswer::Taken);
    assert_eq!(book.take(asked(1, 6)), LeaseAnswer::Taken, "the latest counts");
    assert_eq!(book.take(asked(2, 3)), waiting(&["gpu"]));
    let kept = |keys: &[AttemptKey]| Released {
        granted: Vec::new(),
        kept: keys.to_vec(),
    };
    assert_eq!(book.release(&[key(1), key(2)], 2), kept(&[key(1), key(2)]));
    assert_eq!(book.release(&[key(1)], 6), kept(&[key(1)]));
    assert_eq!(book.holders("gpu"), [key(1)]);
    assert_eq!(book.release(&[key(1)], 7).granted, [key(2)]);
    assert_eq!(
        book.release(&[key(2)], 2),
        kept(&[key(2)]),
        "a grant keeps its number"
    );
    assert_eq!(book.release(&[key(2)], 3), Released::default());
    assert_eq!(book.holders("gpu"), []);
}

/// The obvious implementation: two lists, everything looked at every time.
#[derive(Default)]
struct Model {
    capacities: BTreeMap<String, u32>,
    leases: Vec<(AttemptKey, Vec<PoolDemand>)>,
    waiters: Vec<(WaiterOrder, AttemptKey, Vec<PoolDemand>)>,
}

impl Model {
    fn used(&self, pool: &str) -> u32 {
        let demands = self.leases.iter().flat_map(|(_, demands)| demands);
        demands
            .filter(|demand| demand.pool == pool)
            .map(|demand| demand.slots)
            .sum()
    }

    fn full(&self, demands: &[PoolDemand]) -> Vec<String> {
        let full =
            |demand: &&PoolDemand| self.used(&demand.pool) + demand.slots > self.capacities[&demand.pool];
        demands
            .iter()
            .filter(full)
            .map(|demand| demand.pool.clone())
            .collect()
    }

    fn take(&mut self, request: LeaseRequest) -> LeaseAnswer {
        if self.leases.iter().any(|(key, _)| *key == request.key) {
            return LeaseAnswer::Taken;
        }
        self.waiters.retain(|(_, key, _)| *key != request.key);
        for PoolDemand { pool, slots } in &request.demands {
            if *slots > self.capacities[pool] {
                let capacity = Some(self.capacities[pool]);
                return LeaseAnswer::Impossible {
                    pool: pool.clone(),
                    capacity,
                };
            }
        }
        let full = self.full(&request.demands);
        if full.is_empty() {
            self.leases.push((request.key, request.demands));
            return LeaseAnswer::Taken;
        }
        self.waiters.push((request.order, request.key, request.demands));
        LeaseAnswer::Waiting { full }
    }

    fn grant(&mut self) -> Vec<AttemptKey> {
        self.waiters.sort();
        let mut granted = Vec::new();
        for (order, key, demands) in std::mem::take(&mut self.waiters) {
            if self.full(&demands).is_empty() {
                granted.push(key);
                self.leases.push((key, demands));
            } else {
                self.waiters.push((order, key, demands));
            }
        }
        granted
    }

    fn release(&mut self, key: &AttemptKey) -> Vec<AttemptKey> {
        self.waiters.retain(|(_, waiter, _)| waiter != key);
        self.leases.retain(|(holder, _)| holder != key);
        self.grant()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Take { node: u32, demand: usize, order: i64 },
    Release { node: u32 },
    Capacity { pool: usize, capacity: u32 },
    Restore { node: u32, demand: usize },
}

const POOLS: [&str; 3] = ["a", "b", "c"];
const DEMANDS: [&[(&str, u32)]; 7] = [
    &[("a", 1)],
    &[("b", 1)],
    &[("a", 1), ("b", 1)],
    &[("a", 2)],
    &[("b", 1), ("c", 1)],
    &[("a", 1), ("b", 2), ("c", 1)],
    &[],
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..24_u32, 0..DEMANDS.len(), -5..5_i64)
            .prop_map(|(node, demand, order)| Step::Take { node, demand, order }),
        6 => (0..24_u32).prop_map(|node| Step::Release { node }),
        1 => (0..POOLS.len(), 0..4_u32).prop_map(|(pool, capacity)| Step::Capacity { pool, capacity }),
        1 => (0..24_u32, 0..DEMANDS.len()).prop_map(|(node, demand)| Step::Restore { node, demand }),
    ]
}

fn check(book: &PoolBook, model: &Model) {
    for usage in book.usage() {
        assert_eq!(
            usage.used,
            model.used(&usage.pool),
            "slots in use of {}",
            usage.pool
        );
        let in_line = |waiter: &&(WaiterOrder, AttemptKey, Vec<PoolDemand>)| {
            waiter.2.iter().any(|demand| demand.pool == usage.pool)
        };
        let mut line: Vec<_> = model.waiters.iter().filter(in_line).map(|w| (w.0, w.1)).collect();
        line.sort();
        assert_eq!(book.waiters(&usage.pool), line);
        assert_eq!(usage.waiting as usize, line.len());
    }
    for (_, key, demands) in &model.waiters {
        assert!(
            !model.full(demands).is_empty(),
            "POOL-3: {key} waits although its slots are free"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// 200 cases of up to 120 steps.
    #[test]
    fn agrees_with_the_naive_model_after_every_step(steps in prop::collection::vec(step(), 1..120)) {
        let mut book = book(&[("a", 2), ("b", 1), ("c", 3)]);
        let mut model = Model {
            capacities: POOLS.iter().map(|pool| (*pool).to_owned()).zip([2, 1, 3]).collect(),
            ..Model::default()
        };
        let mut over_capacity = false;
        for step in steps {
            match step {
                Step::Take { node, demand, order } => {
                    let request = ask(node, DEMANDS[demand], order);
                    assert_eq!(book.take(request.clone()), model.take(request));
                }
                Step::Release { node } => assert_eq!(release(&mut book, key(node)), model.release(&key(node))),
                Step::Capacity { pool, capacity } => {
                    over_capacity = true;
                    model.capacities.insert(POOLS[pool].to_owned(), capacity);
                    assert_eq!(book.set_capacity(POOLS[pool], capacity), model.grant());
                }
                Step::Restore { node, demand } => {
                    over_capacity = true;
                    book.restore(key(node), &demands(DEMANDS[demand]), 1);
                    if !model.leases.iter().any(|(holder, _)| *holder == key(node)) {
                        model.waiters.retain(|(_, waiter, _)| *waiter != key(node));
                        model.leases.push((key(node), demands(DEMANDS[demand])));
                    }
                }
            }
            check(&book, &model);
            let within = book.usage().iter().all(|usage| usage.used <= usage.capacity);
            assert!(over_capacity || within, "POOL-1: leases exceed capacity");
        }
    }
}
