//! What every test of the host needs.

use std::path::Path;
use std::sync::Arc;

use orchestrator_core::policy::{Policy, PolicyConfig, Surroundings};
use orchestrator_core::workflow::{Limits, parse};
use orchestrator_embedded::{Change, StartOptions, SystemClock};
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::settings::{Agent, AgentKind};
use orchestrator_engine::submit::Request;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

/// Waits for what is asynchronous.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// A host with its data below `folder`, where its agents work. It is impatient with agents that are told to stop.
pub fn options(folder: &Path) -> StartOptions {
    let policy = Policy::new(&PolicyConfig::default(), Surroundings::default()).unwrap();
    let mut options = StartOptions::new(folder.join("data"), Arc::new(policy));
    options.base_dir = folder.to_owned();
    options.limits.grace_ms = 200;
    options
}

/// An agent that is this command.
pub fn command(argv: &[&str]) -> Agent {
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    Agent::new(AgentKind::Command(argv))
}

/// A request for a run of these tasks.
pub fn request(tasks: &Value) -> Request {
    let document = json!({"name": "test", "tasks": tasks}).to_string();
    let workflow = parse(document.as_bytes(), &Limits::api()).workflow.unwrap();
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
        is_fresh: false,
    }
}

/// Waits for a change of this kind.
pub fn wait_for(changes: &mut Receiver<Change>, mut is_it: impl FnMut(&Change) -> bool) -> Change {
    loop {
        let change = changes.blocking_recv().unwrap();
        if is_it(&change) {
            return change;
        }
    }
}
