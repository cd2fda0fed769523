//! [`DueIndex`]: runs that have not ended are looked at now and then; those that have ended are not.

use futures_util::future::join_all;
use orchestrator_core::run::RunStatus;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::due_index::{DueIndex, DueRun};
use orchestrator_engine::ports::journal::{Append, Journal};
use orchestrator_engine::ports::run_index::RunSummary;

use super::run;

const LATE: Timestamp = Timestamp(10_000_000);

fn append(n: u64, seq: u64, status: RunStatus) -> Append {
    let summary = RunSummary {
        run: run(n),
        workflow: "contract".to_owned(),
        client_id: "tester".to_owned(),
        status,
        tasks: 1,
        submitted_at: Timestamp(i64::try_from(n).unwrap_or(0)),
        finished_at: status.is_terminal().then_some(Timestamp(99)),
    };
    Append {
        run: run(n),
        seq,
        record: vec![1],
        summary: Some(summary),
        blobs: Vec::new(),
        alerts: Vec::new(),
    }
}

/// The whole contract, on an empty adapter.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(journal: &impl Journal, index: &impl DueIndex) {
    const RUNS: u64 = 12;
    for n in 0..RUNS {
        journal
            .append(append(n, 1, RunStatus::Running))
            .await
            .expect("the number is free");
    }
    assert_eq!(
        index.due(Timestamp(1_000), 100).await,
        Ok(Vec::new()),
        "nothing is due at once"
    );
    let due = found(index, LATE, 100).await;
    assert_eq!(due.len(), 12, "every run that has not ended is due in the end");
    assert!(due.is_sorted_by_key(|due| due.at), "the most overdue first");
    assert_eq!(found(index, LATE, 5).await, due[..5], "at most so many");

    let postponed = index.postpone(due[0], LATE + 1).await;
    assert_eq!(postponed, Ok(true));
    assert_eq!(
        index.postpone(due[0], LATE + 1).await,
        Ok(false),
        "somebody else was there first"
    );
    let racing = join_all((0..4).map(|n| index.postpone(due[1], LATE + 2 + n))).await;
    let won = racing.iter().filter(|postponed| **postponed == Ok(true)).count();
    assert_eq!(
        won, 1,
        "of concurrent postponements one has an effect: {racing:?}"
    );
    assert_eq!(
        found(index, LATE, 100).await,
        due[2..],
        "postponed runs are not due"
    );

    for ended in &due[2..] {
        let n = u64::try_from(ended.run.created_at().0 - run(0).created_at().0).unwrap_or(0);
        journal
            .append(append(n, 2, RunStatus::Success))
            .await
            .expect("the number is free");
        assert_eq!(
            index.postpone(*ended, LATE).await,
            Ok(false),
            "an ended run is not looked at"
        );
    }
    assert_eq!(found(index, LATE, 100).await, Vec::new());
    let reopened = u64::try_from(due[2].run.created_at().0 - run(0).created_at().0).unwrap_or(0);
    journal
        .append(append(reopened, 3, RunStatus::Running))
        .await
        .expect("the number is free");
    let again: Vec<_> = found(index, LATE, 100)
        .await
        .into_iter()
        .map(|due| due.run)
        .collect();
    assert_eq!(again, [run(reopened)], "a run that goes on is");
}

async fn found(index: &impl DueIndex, now: Timestamp, limit: usize) -> Vec<DueRun> {
    index.due(now, limit).await.expect("readable")
}
