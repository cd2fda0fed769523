//! A database that somebody else has locked: requests are refused with a reason, and nothing is left undone afterwards.

use std::sync::Arc;

use super::common::request;
use orchestrator_core::ids::RunId;
use orchestrator_core::policy::{Policy, PolicyConfig, Surroundings};
use orchestrator_core::run::{Command, RunStatus};
use orchestrator_embedded::{Orchestrator, StartOptions};
use orchestrator_engine::error::Error;
use orchestrator_engine::ports::journal;
use orchestrator_engine::submit::Request;
use rusqlite::Connection;
use serde_json::json;

/// What waits for a person.
fn destructive() -> Request {
    request(&json!([{"id": "t", "agent": "noop", "action": "drop_table"}]))
}

/// A policy under which the action waits for a person.
fn policy() -> Policy {
    let config: PolicyConfig = serde_json::from_value(json!({
        "rules": [{"name": "ask", "when": "task.action == 'drop_table'", "require_approval": "it is destructive"}]
    }))
    .expect("the configuration is valid");
    Policy::new(&config, Surroundings::default()).expect("the policy is valid")
}

#[tokio::test]
async fn requests_are_refused_while_the_database_is_locked_and_work_goes_on_afterwards() {
    let temp = tempfile::tempdir().unwrap();
    let orchestrator = Orchestrator::start(StartOptions::new(temp.path(), Arc::new(policy()))).unwrap();
    let mut changes = orchestrator.subscribe();
    let stored = destructive();
    let run = stored.run;
    orchestrator.submit(stored).await.unwrap();

    let file = orchestrator.data_dir().database();
    let other = Connection::open(file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let approve = |run: RunId| {
        let node = orchestrator_core::ids::NodeIx(0);
        let by = "tester".to_owned();
        orchestrator.operate(run, Command::Approve { node, by })
    };
    let is_locked = |result: &Result<(), Error>| matches!(result, Err(Error::Journal(journal::Error::Unavailable(reason))) if reason.contains("locked"));
    let refused = [approve(run).await, orchestrator.submit(destructive()).await];
    assert!(refused.iter().all(is_locked), "{refused:?}");
    other.execute_batch("ROLLBACK").unwrap();

    approve(run).await.unwrap();
    loop {
        let change = changes.recv().await.unwrap();
        if change.run == run && change.has_ended {
            assert_eq!(change.status, RunStatus::Success);
            break;
        }
    }
}
