//! Decides what goes wrong in a storm: about every call of the functions to AWS.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use serde_json::{Value, json};
use tests::requests::Request;
use tokio::runtime::Handle;

use crate::deployment::Deployment;
use crate::proxy::{Call, Fate};

/// Of so many invocations one is killed.
pub const KILLED: usize = 10;
/// Of so many messages one is sent twice; of so many reports one is said twice.
pub const DOUBLED: usize = 5;
/// Of so many appends one is overtaken.
const OVERTAKEN: usize = 7;
/// Of so many calls to the table one is throttled.
const THROTTLED: usize = 50;
/// Of so many calls to the table one is not answered.
const UNANSWERED: usize = 99;

/// When in its work an invocation dies: one after the other.
pub const DEATHS: [(&[&str], Fate); 5] = [
    // Nothing is recorded.
    (&["PutItem"], Fate::KilledBefore),
    // It is recorded, or a slot is taken, and that is all.
    (
        &["PutItem", "UpdateItem", "TransactWriteItems"],
        Fate::KilledAfter,
    ),
    // Between append and dispatch.
    (&["SendMessageBatch"], Fate::KilledBefore),
    // All is done, but nobody is told.
    (&["SendMessageBatch"], Fate::KilledAfter),
    // Before anything has happened.
    (&["Query", "GetItem"], Fate::KilledBefore),
];

/// Decides about every call, and counts.
#[derive(Default)]
pub struct Storm {
    counts: Mutex<Counts>,
    /// Overtakes appends.
    pub rival: OnceLock<(Arc<Deployment>, Handle)>,
}

/// What has gone wrong.
#[derive(Debug, Default)]
pub struct Counts {
    pub invocations: HashSet<String>,
    pub killed: HashSet<String>,
    pub messages: usize,
    pub doubled: usize,
    pub calls: usize,
    pub operations: BTreeMap<String, usize>,
    pub throttled: usize,
    pub unanswered: usize,
    pub appends: usize,
    pub overtaken: usize,
}

impl Storm {
    /// What has gone wrong so far.
    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("nobody panics with it")
    }

    /// What becomes of a call.
    pub fn judge(&self, call: &Call<'_>) -> Fate {
        let (service, operation) = call.target.rsplit_once('.').unwrap_or_default();
        let mut counts = self.counts();
        if let Some(death) = counts.death(call.invocation, operation) {
            return death;
        }
        if service == "AmazonSQS" {
            return counts.message(operation, call.body);
        }
        *counts.operations.entry(operation.to_owned()).or_default() += 1;
        let fate = counts.table_call();
        let overtaken = (fate == Fate::Through)
            .then(|| counts.overtaken_run(operation, call.body))
            .flatten();
        drop(counts);
        if let (Some(run), Some((deployment, runtime))) = (overtaken, self.rival.get()) {
            runtime.block_on(overtake(deployment, &run));
        }
        fate
    }
}

impl Counts {
    fn death(&mut self, invocation: &str, operation: &str) -> Option<Fate> {
        self.invocations.insert(invocation.to_owned());
        let is_due = self.invocations.len() / KILLED > self.killed.len();
        let (operations, death) = DEATHS[self.killed.len() % DEATHS.len()];
        let dies = is_due && operations.contains(&operation) && self.killed.insert(invocation.to_owned());
        dies.then_some(death)
    }

    fn message(&mut self, operation: &str, body: &str) -> Fate {
        if operation != "SendMessageBatch" {
            return Fate::Through;
        }
        let before = self.messages / DOUBLED;
        let body: Value = serde_json::from_str(body).expect("the SDK sends JSON");
        self.messages += body["Entries"].as_array().map_or(0, Vec::len);
        if self.messages / DOUBLED == before {
            return Fate::Through;
        }
        self.doubled += 1;
        Fate::Twice
    }

    fn table_call(&mut self) -> Fate {
        self.calls += 1;
        if self.calls.is_multiple_of(THROTTLED) {
            self.throttled += 1;
            return Fate::Refused("ThrottlingException");
        }
        if self.calls.is_multiple_of(UNANSWERED) {
            self.unanswered += 1;
            return Fate::Unanswered;
        }
        Fate::Through
    }

    /// The run whose journal somebody else writes to before this call does.
    fn overtaken_run(&mut self, operation: &str, body: &str) -> Option<String> {
        if operation != "PutItem" || !body.contains("\"J#") {
            return None;
        }
        let body: Value = serde_json::from_str(body).expect("the SDK sends JSON");
        let key = |name: &str| body["Item"][name]["S"].as_str();
        let (run, append) = (key("PK")?.strip_prefix("RUN#")?, key("SK")?.strip_prefix("J#")?);
        // Nobody else knows a run before its first append.
        if append.parse() == Ok(1) {
            return None;
        }
        self.appends += 1;
        self.appends.is_multiple_of(OVERTAKEN).then(|| {
            self.overtaken += 1;
            run.to_owned()
        })
    }
}

/// An operator changes the priority of a run.
async fn overtake(deployment: &Deployment, run: &str) {
    static PRIORITY: AtomicUsize = AtomicUsize::new(0);
    let priority = 1 + PRIORITY.fetch_add(1, Ordering::Relaxed) % 10;
    let (path, body) = (format!("/runs/{run}"), json!({"priority": priority}).to_string());
    let request = Request {
        method: "PATCH",
        path: &path,
        headers: vec![("Content-Type", "application/json")],
        body: body.as_bytes(),
    };
    let reply = deployment.ask(&request).await;
    // It may have ended.
    assert!([200, 409].contains(&reply.status), "{}", reply.json());
}
