//! [`Journal`]: appends are numbered, atomic, exclusive and read back in order.

use futures_util::future::join_all;
use orchestrator_core::run::RunStatus;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::journal::{Append, Blob, Error};
use orchestrator_engine::ports::run_index::RunSummary;
use orchestrator_engine::ports::{Journal, RunIndex};

use super::run;

fn append(n: u64, seq: u64, record: &[u8]) -> Append {
    Append {
        run: run(n),
        seq,
        record: record.to_vec(),
        summary: None,
        blobs: Vec::new(),
        alerts: Vec::new(),
    }
}

fn summary(n: u64, status: RunStatus) -> RunSummary {
    RunSummary {
        run: run(n),
        workflow: "contract".to_owned(),
        client_id: "tester".to_owned(),
        status,
        tasks: 1,
        submitted_at: Timestamp(1),
        finished_at: None,
    }
}

/// The whole contract, on an empty adapter.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(journal: &impl Journal, index: &impl RunIndex) {
    appends_are_read_back_in_order(journal).await;
    a_taken_number_conflicts(journal, index).await;
    one_of_many_concurrent_appends_wins(journal).await;
    blobs_are_stored_once_and_with_the_append(journal).await;
    the_summary_is_stored_with_the_append(journal, index).await;
    records_are_bytes_of_any_size(journal).await;
}

async fn appends_are_read_back_in_order(journal: &impl Journal) {
    assert_eq!(
        journal.load(run(1), 0).await,
        Ok(Vec::new()),
        "an unknown run has no appends"
    );
    for seq in 1..=120_u64 {
        journal
            .append(append(1, seq, &seq.to_be_bytes()))
            .await
            .expect("the next number is free");
    }
    for after in [0, 1, 60, 119, 120, 500] {
        let loaded = journal.load(run(1), after).await.expect("readable");
        let seqs: Vec<u64> = loaded.iter().map(|append| append.seq).collect();
        assert_eq!(
            seqs,
            (after + 1..=120).collect::<Vec<_>>(),
            "complete and in order after {after}"
        );
        assert!(
            loaded
                .iter()
                .all(|append| append.record == append.seq.to_be_bytes()),
            "unchanged"
        );
    }
    assert_eq!(journal.load(run(2), 0).await, Ok(Vec::new()), "runs do not mix");
}

async fn a_taken_number_conflicts(journal: &impl Journal, index: &impl RunIndex) {
    journal
        .append(append(3, 1, b"first"))
        .await
        .expect("the next number is free");
    let refused = Append {
        summary: Some(summary(3, RunStatus::Failed)),
        ..append(3, 1, b"second")
    };
    let taken = Err(Error::Conflict { run: run(3), seq: 1 });
    assert_eq!(journal.append(refused).await, taken, "number 1 after 1");
    let loaded = journal.load(run(3), 0).await.expect("readable");
    assert_eq!(loaded.len(), 1, "a refused append stores nothing");
    assert_eq!(loaded[0].record, b"first");
    let stored = index.summary(run(3)).await.expect("readable");
    assert!(
        stored.is_none_or(|summary| summary.status != RunStatus::Failed),
        "nor its summary"
    );
}

/// What an adapter that can tell must do in addition: a number that would leave a gap conflicts.
///
/// # Panics
/// When it does not.
pub async fn check_gaps(journal: &impl Journal) {
    journal
        .append(append(9, 1, b"first"))
        .await
        .expect("the next number is free");
    let gap = Err(Error::Conflict { run: run(9), seq: 3 });
    assert_eq!(
        journal.append(append(9, 3, b"third")).await,
        gap,
        "number 3 after 1"
    );
}

async fn one_of_many_concurrent_appends_wins(journal: &impl Journal) {
    for seq in 1..=5 {
        let appends = (0..8_u8).map(|writer| journal.append(append(4, seq, &[writer])));
        let results = join_all(appends).await;
        let winners: Vec<u8> = (0..8)
            .zip(&results)
            .filter(|(_, result)| result.is_ok())
            .map(|(writer, _)| writer)
            .collect();
        assert_eq!(winners.len(), 1, "exactly one append {seq} wins: {results:?}");
        let loaded = journal.load(run(4), seq - 1).await.expect("readable");
        assert_eq!(loaded[0].record, winners, "the winner's record is stored");
    }
}

async fn blobs_are_stored_once_and_with_the_append(journal: &impl Journal) {
    let blob = Blob {
        hash: [7; 32],
        bytes: b"definition".as_slice().into(),
    };
    assert_eq!(journal.blob(blob.hash).await, Ok(None), "an unknown blob is none");
    for n in [5, 6] {
        let append = Append {
            blobs: vec![blob.clone()],
            ..append(n, 1, b"submitted")
        };
        journal.append(append).await.expect("the next number is free");
    }
    assert_eq!(journal.blob(blob.hash).await, Ok(Some(b"definition".to_vec())));
}

async fn the_summary_is_stored_with_the_append(journal: &impl Journal, index: &impl RunIndex) {
    for (seq, status) in [(1, RunStatus::Running), (2, RunStatus::Success)] {
        let append = Append {
            summary: Some(summary(7, status)),
            ..append(7, seq, b"changed")
        };
        journal.append(append).await.expect("the next number is free");
        assert_eq!(index.summary(run(7)).await, Ok(Some(summary(7, status))));
    }
    journal
        .append(append(7, 3, b"same"))
        .await
        .expect("the next number is free");
    assert_eq!(
        index.summary(run(7)).await,
        Ok(Some(summary(7, RunStatus::Success))),
        "it stays"
    );
}

async fn records_are_bytes_of_any_size(journal: &impl Journal) {
    let large: Vec<u8> = (0..1_200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    for (seq, record) in [(1, Vec::new()), (2, vec![0, 255, 0]), (3, large)] {
        journal
            .append(append(8, seq, &record))
            .await
            .expect("the next number is free");
        assert_eq!(
            journal.load(run(8), seq - 1).await.expect("readable")[0].record,
            record
        );
    }
}
