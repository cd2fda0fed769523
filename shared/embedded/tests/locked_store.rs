//! A database that somebody else has locked: requests are refused with a reason, and nothing is left undone afterwards.

use std::sync::Arc;

use orchestrator_core::ids::RunId;
use orchestrator_core::policy::{Policy, PolicyConfig, Surroundings};
use orchestrator_core::run::{Command, RunStatus};
use orchestrator_core::workflow::{Limits, parse};
use orchestrator_embedded::{Orchestrator, StartOptions, SystemClock};
use orchestrator_engine::error::Error;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::ports::journal;
use orchestrator_engine::submit::Request;
use rusqlite::Connection;
use serde_json::json;

fn request() -> Request {
    let document = json!({"name": "held", "tasks": [{"id": "t", "agent": "noop", "action": "drop_table"}]});
    let parsed = parse(document.to_string().as_bytes(), &Limits::api());
    let workflow = parsed.workflow.expect("the document is valid");
    Request {
        run: SystemClock.new_run_id(),
        canonical: workflow.canonical().into(),
        workflow: Arc::new(workflow),
        client_id: "tester".to_owned(),
        inputs: Arc::new(json!({})),
        metadata: Arc::new(json!({})),
        priority: None,
        trace: Default::default(),
        needs_admission: false,
    }
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
    let stored = request();
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
    let refused = [approve(run).await, orchestrator.submit(request()).await];
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
