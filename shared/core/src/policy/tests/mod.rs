//! What the policy answers, rule by rule.

mod defaults;
mod explaining;
mod loading;
mod rules;
mod verdicts;

use serde_json::{Value, json};

use super::*;
use crate::pool::PoolUsage;
use crate::time::Timestamp;
use crate::workflow::limits::Limits;
use crate::workflow::{OnDenied, ResourceClass, typed};

/// 2026-01-15, a Thursday, 12:00 UTC.
const NOON: Timestamp = Timestamp(1_768_478_400_000);

fn policy(yaml: &str) -> Policy {
    let config = typed::read(yaml, &Limits::api()).unwrap();
    Policy::new(&config, surroundings()).unwrap()
}

fn surroundings() -> Surroundings {
    serde_json::from_value(json!({
        "pools": {"licence": 1, "closed": 0},
        "agents": {"slow_agent": {"concurrency": 2, "timeout_ms": 9000}},
    }))
    .unwrap()
}

/// A question in short: everything not named is ordinary.
struct Asked {
    agent: &'static str,
    action: &'static str,
    task: Value,
    params: Value,
    metadata: Value,
    inputs: Value,
    run_priority: Option<u8>,
    task_count: usize,
    pools: Vec<String>,
    approved: bool,
    now: Timestamp,
    usage: Vec<PoolUsage>,
}

fn ask(agent: &'static str, action: &'static str) -> Asked {
    Asked {
        agent,
        action,
        task: json!({}),
        params: json!({}),
        metadata: json!({}),
        inputs: json!({}),
        run_priority: None,
        task_count: 1,
        pools: Vec::new(),
        approved: false,
        now: NOON,
        usage: Vec::new(),
    }
}

impl Asked {
    fn with<R>(&self, put: impl FnOnce(&Question<'_>) -> R) -> R {
        let read = |key: &str| self.task.get(key).cloned().unwrap_or(Value::Null);
        let question = Question {
            task: TaskFacts {
                id: "t",
                agent: self.agent,
                action: self.action,
                params: &self.params,
                priority: serde_json::from_value(read("priority")).unwrap(),
                retry: serde_json::from_value::<Option<_>>(read("retry"))
                    .unwrap()
                    .unwrap_or_default(),
                timeout_ms: serde_json::from_value(read("timeout_ms")).unwrap(),
                resources: serde_json::from_value::<Option<_>>(read("resources"))
                    .unwrap()
                    .unwrap_or_default(),
                pools: &self.pools,
                on_denied: serde_json::from_value(read("on_denied")).unwrap(),
                epoch: 1,
                attempt: 1,
                approved: self.approved,
                item: None,
            },
            run: RunFacts {
                id: None,
                workflow: "w",
                client_id: Some("team"),
                priority: self.run_priority,
                inputs: &self.inputs,
                metadata: &self.metadata,
                task_count: self.task_count,
                submitted_at: NOON,
            },
            now: self.now,
            usage: &self.usage,
        };
        put(&question)
    }

    fn choice(&self, policy: &Policy) -> Choice {
        self.with(|question| {
            let choice = choose(policy, question);
            assert_eq!(
                explain::explain(policy, question).choice,
                choice,
                "an explanation explains the same choice"
            );
            choice
        })
    }

    fn task(mut self, task: Value) -> Asked {
        self.task = task;
        self
    }

    fn params(mut self, params: Value) -> Asked {
        self.params = params;
        self
    }

    fn metadata(mut self, metadata: Value) -> Asked {
        self.metadata = metadata;
        self
    }
}

fn pools(choice: &Choice) -> Vec<&str> {
    choice.pools.iter().map(|demand| demand.pool.as_str()).collect()
}

fn hold_of(choice: &Choice) -> (HoldReason, Option<u64>) {
    match &choice.verdict {
        Verdict::Hold { reason, until } => (*reason, until.map(|until| until - NOON)),
        other => panic!("not held: {other:?}"),
    }
}

fn denied(choice: &Choice) -> OnDenied {
    match &choice.verdict {
        Verdict::Deny { on_denied } => *on_denied,
        other => panic!("not denied: {other:?}"),
    }
}
