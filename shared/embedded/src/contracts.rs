//! The adapters of this host keep the contracts of their ports: the testkit's suites on SQLite, through the path of every write.

use std::cell::RefCell;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use orchestrator_core::guard::RateLimits as Limits;
use orchestrator_core::ids::RunId;
use orchestrator_core::policy::{Policy, PolicyConfig, Surroundings};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::journal::{Append, Error, StoredAppend};
use orchestrator_engine::ports::run_index::RunQuery;
use orchestrator_engine::ports::{Journal, RunIndex};
use orchestrator_testkit::contract::{self, block_on};

use crate::data_dir::DataDir;
use crate::host::journal::GroupJournal;
use crate::host::pools::LocalPools;
use crate::host::ports::StoreIndex;
use crate::options::StartOptions;
use crate::orchestrator::Orchestrator;
use crate::rate_limits::LocalRateLimits;
use crate::reader::Reader;
use crate::sqlite::Store;
use crate::store::LossyStore;

/// The engine's thread in short: goes as far as possible, commits what waits, and goes on.
fn drive<T>(journal: &GroupJournal, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        if !journal.commit() {
            std::thread::yield_now();
        }
    }
}

fn with_journal(check: impl FnOnce(&DataDir, &GroupJournal, &StoreIndex)) {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::new(temp.path());
    let store = Rc::new(RefCell::new(Store::open(&dir.database()).unwrap()));
    check(
        &dir,
        &GroupJournal::new(Rc::clone(&store), Rc::default()),
        &StoreIndex(store),
    );
}

/// Writes as the engine does, and reads as the API does: on connections and threads of its own.
struct Beside<'a> {
    writer: &'a GroupJournal,
    reader: Reader,
}

impl Journal for Beside<'_> {
    async fn load(&self, run: RunId, after: u64) -> Result<Vec<StoredAppend>, Error> {
        self.reader.load(run, after).await
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        self.writer.append(append).await
    }

    async fn blob(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, Error> {
        self.reader.blob(hash).await
    }
}

#[test]
fn the_journal_keeps_its_contract() {
    with_journal(|_, journal, index| drive(journal, contract::journal::check(journal, index)));
    with_journal(|_, journal, _| drive(journal, contract::journal::check_gaps(journal)));
}

#[test]
fn the_journal_keeps_its_contract_for_readers_beside_the_engine() {
    with_journal(|dir, journal, _| {
        let reader = Reader::on(dir.clone()).unwrap();
        let beside = Beside {
            writer: journal,
            reader: reader.clone(),
        };
        drive(journal, contract::journal::check(&beside, &reader));
    });
}

#[test]
fn the_index_of_runs_keeps_its_contract() {
    with_journal(|_, journal, index| drive(journal, contract::run_index::check(journal, index)));
    with_journal(|dir, journal, _| {
        let reader = Reader::on(dir.clone()).unwrap();
        drive(journal, contract::run_index::check(journal, &reader));
    });
}

#[test]
fn what_was_appended_is_there_for_the_next_owner() {
    with_journal(|dir, journal, index| {
        drive(journal, contract::run_index::check(journal, index));
        let next = Store::open(&dir.database()).unwrap();
        let next = StoreIndex(Rc::new(RefCell::new(next)));
        let query = RunQuery {
            statuses: Vec::new(),
            client_id: None,
            workflow: None,
            before: None,
            limit: 1_000,
        };
        let seen = block_on(next.list(&query)).unwrap();
        assert_eq!(seen, block_on(index.list(&query)).unwrap());
        assert!(!seen.is_empty());
    });
}

#[test]
fn the_pools_keep_their_contract() {
    let capacities = contract::pools::CAPACITIES.map(|(pool, capacity)| (pool.to_owned(), capacity));
    let pools = LocalPools::new(capacities.into(), None);
    block_on(contract::pools::check(&pools));
    block_on(contract::pools::check_one_lease_per_key(&pools));
}

#[test]
fn idempotency_keys_keep_their_contract() {
    let temp = tempfile::tempdir().unwrap();
    block_on(contract::idempotency::check(&start(temp.path())));
}

fn start(data_dir: &Path) -> Orchestrator {
    let policy = Policy::new(&PolicyConfig::default(), Surroundings::default()).unwrap();
    let options = StartOptions::new(data_dir, Arc::new(policy));
    Orchestrator::start(options).unwrap()
}

#[test]
fn what_may_be_lost_is_kept_as_caches_keep_it() {
    let temp = tempfile::tempdir().unwrap();
    block_on(contract::cache::check(
        &LossyStore::new(temp.path()),
        Timestamp(1_000_000),
    ));
}

#[test]
fn rate_limits_keep_their_contract() {
    let limits = Limits {
        per_minute: Some(60),
        per_hour: None,
        burst: 3,
    };
    block_on(contract::rate_limits::check(&LocalRateLimits::new(limits)));
}
