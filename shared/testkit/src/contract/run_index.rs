//! [`RunIndex`]: runs are found by state, client and workflow, newest first, page by page.

use orchestrator_core::run::RunStatus;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::journal::Append;
use orchestrator_engine::ports::run_index::{RunQuery, RunSummary};
use orchestrator_engine::ports::{Journal, RunIndex};

use super::run;

const EVERYTHING: RunQuery = RunQuery {
    statuses: Vec::new(),
    client_id: None,
    workflow: None,
    before: None,
    limit: RunQuery::LIMIT_MAX,
};

/// The whole contract, on an empty adapter.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(journal: &impl Journal, index: &impl RunIndex) {
    for n in 0..30_u64 {
        let summary = RunSummary {
            run: run(n),
            workflow: format!("workflow-{}", n % 2),
            client_id: format!("client-{}", n % 3),
            status: [RunStatus::Running, RunStatus::Success, RunStatus::Failed]
                [usize::from(n >= 10) + usize::from(n >= 20)],
            tasks: 4,
            submitted_at: Timestamp(i64::try_from(n).unwrap_or(0)),
            finished_at: (n >= 10).then_some(Timestamp(99)),
        };
        let append = Append {
            run: run(n),
            seq: 1,
            record: vec![1],
            summary: Some(summary),
            blobs: Vec::new(),
            alerts: Vec::new(),
        };
        journal.append(append).await.expect("the next number is free");
    }
    let table: [(&str, RunQuery, Vec<u64>); 6] = [
        ("everything, newest first", EVERYTHING, (0..30).rev().collect()),
        (
            "one state",
            RunQuery {
                statuses: vec![RunStatus::Success],
                ..EVERYTHING
            },
            (10..20).rev().collect(),
        ),
        (
            "several states",
            RunQuery {
                statuses: vec![RunStatus::Running, RunStatus::Failed],
                ..EVERYTHING
            },
            (20..30).rev().chain((0..10).rev()).collect(),
        ),
        (
            "all conditions hold",
            RunQuery {
                client_id: Some("client-0".to_owned()),
                workflow: Some("workflow-1".to_owned()),
                ..EVERYTHING
            },
            (0..30).rev().filter(|n| n % 3 == 0 && n % 2 == 1).collect(),
        ),
        (
            "nobody",
            RunQuery {
                client_id: Some("nobody".to_owned()),
                ..EVERYTHING
            },
            Vec::new(),
        ),
        (
            "a page",
            RunQuery {
                before: Some(run(12)),
                limit: 5,
                ..EVERYTHING
            },
            (7..12).rev().collect(),
        ),
    ];
    for (name, query, expected) in table {
        let found = index.list(&query).await.expect("readable");
        let found: Vec<_> = found.into_iter().map(|summary| summary.run).collect();
        assert_eq!(found, expected.into_iter().map(run).collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(
        index.summary(run(1_000)).await,
        Ok(None),
        "an unknown run has no summary"
    );
}
