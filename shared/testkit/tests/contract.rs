//! The ports in memory keep the contracts they are used to test others with.

use orchestrator_core::guard::RateLimits;
use orchestrator_testkit::contract::{self, block_on};
use orchestrator_testkit::faults::{Call, FailTimes, Fate, Faulty};
use orchestrator_testkit::memory::{
    MemoryCache, MemoryIdempotency, MemoryJournal, MemoryPools, MemoryRateLimits,
};

#[test]
fn the_journal_in_memory_keeps_its_contract() {
    let journal = MemoryJournal::default();
    block_on(contract::journal::check(&journal, &journal));
    block_on(contract::journal::check_gaps(&journal));
}

#[test]
fn the_index_in_memory_keeps_its_contract() {
    let journal = MemoryJournal::default();
    block_on(contract::run_index::check(&journal, &journal));
}

#[test]
fn the_pools_in_memory_keep_their_contract() {
    let capacities = contract::pools::CAPACITIES.map(|(pool, capacity)| (pool.to_owned(), capacity));
    let pools = MemoryPools::new(capacities.into(), 1);
    block_on(contract::pools::check(&pools));
    block_on(contract::pools::check_one_lease_per_key(&pools));
}

#[test]
fn idempotency_in_memory_keeps_its_contract() {
    block_on(contract::idempotency::check(&MemoryIdempotency::default()));
}

#[test]
fn the_cache_in_memory_keeps_its_contract() {
    let now = orchestrator_core::time::Timestamp(1_000);
    block_on(contract::cache::check(&MemoryCache::default(), now));
}

#[test]
fn rate_limits_in_memory_keep_their_contract() {
    let limits = RateLimits {
        per_minute: Some(60),
        per_hour: None,
        burst: 3,
    };
    block_on(contract::rate_limits::check(&MemoryRateLimits::new(limits)));
}

#[test]
fn a_port_fails_exactly_as_often_as_planned() {
    use orchestrator_engine::ports::Journal;
    use orchestrator_engine::ports::journal::{Append, Error};
    let run = orchestrator_core::ids::RunId::from_parts(1, 1);
    let append = || Append {
        run,
        seq: 1,
        record: vec![1],
        summary: None,
        blobs: Vec::new(),
        alerts: Vec::new(),
    };
    let lost = FailTimes::new(Call::Append, Fate::LoseAnswer, 1);
    let journal = Faulty::new(MemoryJournal::default(), &lost);
    assert!(matches!(
        block_on(journal.append(append())),
        Err(Error::Unknown(_))
    ));
    assert_eq!(journal.inner.len(run), 1, "it was stored all the same");
    assert!(
        matches!(block_on(journal.append(append())), Err(Error::Conflict { .. })),
        "the second call passes"
    );
}
