//! What the store promises, and what it says when it cannot keep it.

use std::path::Path;
use std::sync::Arc;

use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunStatus;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::idempotency::{Claim, Claimed};
use orchestrator_engine::ports::journal::{Append, Blob, Error};
use orchestrator_engine::ports::run_index::{RunQuery, RunSummary};
use rusqlite::Connection;

use super::batch::Batch;
use super::store::Store;
use super::{Kind, StoreError, read};

fn run(number: u128) -> RunId {
    RunId::from_parts(1, number)
}

fn append(run: RunId, seq: u64, record: &[u8]) -> Append {
    Append {
        run,
        seq,
        record: record.to_vec(),
        summary: None,
        blobs: Vec::new(),
        alerts: Vec::new(),
    }
}

fn summary(run: RunId, client: &str, status: RunStatus) -> RunSummary {
    RunSummary {
        run,
        workflow: "w".to_owned(),
        client_id: client.to_owned(),
        status,
        tasks: 3,
        submitted_at: Timestamp(5),
        finished_at: status.is_terminal().then_some(Timestamp(9)),
    }
}

fn commit(store: &mut Store, appends: Vec<Append>) -> Result<Vec<Result<(), Error>>, Error> {
    let claims = Vec::new();
    store
        .commit(&Batch {
            appends,
            claims,
            ..Batch::default()
        })
        .map(|committed| committed.appends)
}

fn with_store(test: impl FnOnce(&Path, Store)) {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("orchestrator.db");
    let store = Store::open(&file).unwrap();
    test(&file, store);
}

#[test]
fn repeats_and_gaps_are_conflicts_that_spoil_nothing_else_of_their_batch() {
    with_store(|file, mut store| {
        let conflict = |seq| Err(Error::Conflict { run: run(1), seq });
        let first = vec![
            append(run(1), 2, b"gap"),
            append(run(1), 1, b"a"),
            append(run(2), 1, b"x"),
        ];
        assert_eq!(commit(&mut store, first), Ok(vec![conflict(2), Ok(()), Ok(())]));
        let second = vec![
            append(run(1), 1, b"again"),
            append(run(1), 2, b"b"),
            append(run(1), 4, b"gap"),
        ];
        assert_eq!(
            commit(&mut store, second),
            Ok(vec![conflict(1), Ok(()), conflict(4)])
        );
        drop(store);
        let store = Store::open(file).unwrap();
        let records = |after| -> Vec<(u64, Vec<u8>)> {
            let appends = store.load(run(1), after).unwrap();
            appends
                .into_iter()
                .map(|append| (append.seq, append.record))
                .collect()
        };
        assert_eq!(records(0), [(1, b"a".to_vec()), (2, b"b".to_vec())]);
        assert_eq!(records(1), [(2, b"b".to_vec())]);
        assert_eq!(store.load(run(3), 0), Ok(Vec::new()));
    });
}

#[test]
fn another_writer_makes_a_conflict_not_a_second_append() {
    with_store(|file, mut store| {
        let mut other = Store::open(file).unwrap();
        commit(&mut store, vec![append(run(1), 1, b"a")]).unwrap();
        assert_eq!(
            commit(&mut other, vec![append(run(1), 2, b"b")]),
            Ok(vec![Ok(())])
        );
        let lost = Err(Error::Conflict { run: run(1), seq: 2 });
        assert_eq!(commit(&mut store, vec![append(run(1), 2, b"c")]), Ok(vec![lost]));
        assert_eq!(
            commit(&mut store, vec![append(run(1), 3, b"d")]),
            Ok(vec![Ok(())])
        );
    });
}

#[test]
fn runs_are_found_by_status_client_and_page() {
    with_store(|_, mut store| {
        for number in 1..=6 {
            let status = if number % 2 == 0 {
                RunStatus::Running
            } else {
                RunStatus::Failed
            };
            let client = if number < 4 { "ann" } else { "bob" };
            let summary = Some(summary(run(number), client, status));
            let append = Append {
                summary,
                ..append(run(number), 1, b"r")
            };
            commit(&mut store, vec![append]).unwrap();
        }
        let ended = Append {
            summary: Some(summary(run(2), "ann", RunStatus::Success)),
            ..append(run(2), 2, b"r")
        };
        commit(&mut store, vec![ended]).unwrap();
        commit(&mut store, vec![append(run(7), 1, b"without summary")]).unwrap();
        let all = RunQuery {
            statuses: Vec::new(),
            client_id: None,
            workflow: None,
            before: None,
            limit: 100,
        };
        let list = |query: RunQuery| -> Vec<RunId> {
            store
                .list(&query)
                .unwrap()
                .into_iter()
                .map(|summary| summary.run)
                .collect()
        };
        let runs = |numbers: &[u128]| -> Vec<RunId> { numbers.iter().copied().map(run).collect() };
        assert_eq!(list(all.clone()), runs(&[6, 5, 4, 3, 2, 1]));
        let page = RunQuery {
            before: Some(run(5)),
            limit: 2,
            ..all.clone()
        };
        assert_eq!(list(page), runs(&[4, 3]));
        let statuses = vec![RunStatus::Failed, RunStatus::Success];
        let filtered = RunQuery {
            statuses,
            client_id: Some("ann".to_owned()),
            ..all
        };
        assert_eq!(list(filtered), runs(&[3, 2, 1]));
        let active: Vec<RunId> = store.active().unwrap().iter().map(|active| active.run).collect();
        assert_eq!(active, runs(&[4, 6]));
        let found = store.summary(run(2)).unwrap();
        assert_eq!(found, Some(summary(run(2), "ann", RunStatus::Success)));
        assert_eq!(store.summary(run(9)).unwrap(), None);
    });
}

#[test]
fn blobs_are_stored_once_and_claims_are_answered_by_the_first() {
    with_store(|_, mut store| {
        let blob = |bytes: &[u8]| Blob {
            hash: [7; 32],
            bytes: Arc::from(bytes),
        };
        for (seq, bytes) in [(1, &b"first"[..]), (2, b"second")] {
            let append = Append {
                blobs: vec![blob(bytes)],
                ..append(run(1), seq, b"r")
            };
            commit(&mut store, vec![append]).unwrap();
        }
        assert_eq!(store.blob([7; 32]).unwrap(), Some(b"first".to_vec()));
        assert_eq!(store.blob([8; 32]).unwrap(), None);

        let claim = |number, now: i64| Claim {
            client_id: "ann".to_owned(),
            key: "k".to_owned(),
            body_hash: [1; 32],
            run: run(number),
            now: Timestamp(now),
            expires_at: Timestamp(now + 10),
        };
        let mut claimed = |claims| {
            let appends = Vec::new();
            store
                .commit(&Batch {
                    appends,
                    claims,
                    ..Batch::default()
                })
                .unwrap()
                .claims
        };
        let known = |number| Claimed::Known {
            run: run(number),
            body_hash: [1; 32],
        };
        assert_eq!(claimed(vec![claim(1, 0), claim(2, 0)]), [Claimed::New, known(1)]);
        assert_eq!(claimed(vec![claim(3, 9)]), [known(1)]);
        assert_eq!(claimed(vec![claim(4, 10)]), [Claimed::New]);
    });
}

#[test]
fn a_full_disk_loses_nothing_and_is_said_so() {
    with_store(|file, mut store| {
        commit(&mut store, vec![append(run(1), 1, b"kept")]).unwrap();
        store.limit_pages(Some(20));
        let large = vec![0; 200_000];
        let Err(Error::Unavailable(message)) = commit(&mut store, vec![append(run(1), 2, &large)]) else {
            panic!("it was stored")
        };
        assert!(
            message.contains("the disk is full") && message.contains("orchestrator.db"),
            "{message}"
        );
        store.limit_pages(None);
        assert_eq!(
            commit(&mut store, vec![append(run(1), 2, b"small")]),
            Ok(vec![Ok(())])
        );
        drop(store);
        assert_eq!(Store::open(file).unwrap().load(run(1), 0).unwrap().len(), 2);
    });
}

#[test]
fn a_locked_database_is_said_to_be_locked() {
    with_store(|file, mut store| {
        let other = Connection::open(file).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let refused = commit(&mut store, vec![append(run(1), 1, b"a")]);
        assert!(
            matches!(&refused, Err(Error::Unavailable(message)) if message.contains("locked by another process")),
            "{refused:?}"
        );
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(
            commit(&mut store, vec![append(run(1), 1, b"a")]),
            Ok(vec![Ok(())])
        );
    });
}

#[test]
fn files_that_are_not_our_database_are_refused_by_name() {
    let kind_of = |prepare: &dyn Fn(&Path)| -> StoreError {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("orchestrator.db");
        prepare(&file);
        Store::open(&file).unwrap_err()
    };
    let text = kind_of(&|file| std::fs::write(file, "hello ".repeat(1_000)).unwrap());
    assert_eq!(text.kind, Kind::NotADatabase);
    assert!(
        text.to_string()
            .contains("orchestrator.db' is not an SQLite database"),
        "{text}"
    );
    let foreign = kind_of(&|file| {
        Connection::open(file)
            .unwrap()
            .execute_batch("CREATE TABLE t (a)")
            .unwrap();
    });
    assert_eq!(foreign.kind, Kind::Foreign);
    let newer = kind_of(&|file| {
        drop(Store::open(file).unwrap());
        let connection = Connection::open(file).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
    });
    assert_eq!(newer.kind, Kind::Newer { found: 99 });
    let nowhere = Store::open(Path::new("/nonexistent/orchestrator.db")).unwrap_err();
    assert!(matches!(nowhere.kind, Kind::CannotOpen(_)), "{nowhere}");
}

#[test]
fn a_damaged_journal_is_corrupt_not_empty() {
    with_store(|file, mut store| {
        for seq in 1..=200 {
            commit(&mut store, vec![append(run(1), seq, &[7; 400])]).unwrap();
        }
        drop(store);
        let mut bytes = std::fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        for page in (middle..bytes.len()).step_by(4096) {
            bytes[page..page + 64].fill(0xff);
        }
        std::fs::write(file, bytes).unwrap();
        let outcome = Store::open(file).map(|store| store.load(run(1), 0));
        let is_said = match &outcome {
            Ok(Err(error)) => matches!(error, Error::Corrupt { .. }),
            Ok(Ok(_)) => false,
            Err(error) => matches!(error.kind, Kind::Corrupt(_) | Kind::NotADatabase),
        };
        assert!(is_said, "{outcome:?}");
    });
}

#[test]
fn readers_see_what_was_committed_and_write_nothing() {
    with_store(|file, mut store| {
        commit(&mut store, vec![append(run(1), 1, b"a")]).unwrap();
        let reader = read::open(file).unwrap();
        assert_eq!(read::load(&reader, run(1), 0).unwrap().len(), 1);
        assert!(reader.execute("DELETE FROM journal", []).is_err());
        commit(&mut store, vec![append(run(1), 2, b"b")]).unwrap();
        assert_eq!(read::load(&reader, run(1), 0).unwrap().len(), 2);
    });
}

#[test]
fn runs_know_the_agents_they_began_with_but_for_those_of_earlier_versions() {
    with_store(|file, mut store| {
        let begin = |store: &mut Store, number| {
            let first = Append {
                summary: Some(summary(run(number), "c", RunStatus::Running)),
                ..append(run(number), 1, b"1")
            };
            commit(store, vec![first]).unwrap()[0].clone().unwrap();
        };
        begin(&mut store, 1);
        drop(store);
        let old = Connection::open(file).unwrap();
        old.execute_batch("DROP TABLE alerts; DROP TABLE alerts_to_send; DROP TABLE tallies; ALTER TABLE runs DROP COLUMN agents; PRAGMA user_version = 1;")
            .unwrap();
        drop(old);
        let mut store = Store::open(file).unwrap();
        store.begin_with([7; 32]);
        begin(&mut store, 2);
        let agents: Vec<_> = store.active().unwrap().iter().map(|run| run.agents).collect();
        assert_eq!(agents, [None, Some([7; 32])]);
    });
}
