//! Tests of a policy, written as data: given these facts, expect that choice. `policy test` runs such files.

mod compare;

use std::collections::BTreeMap;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::choice::{Choice, HoldReason};
use super::prepared::Policy;
use super::question::{Question, RunFacts, TaskFacts};
use crate::pool::PoolUsage;
use crate::time::Timestamp;
use crate::workflow::limits::Limits;
use crate::workflow::{OnDenied, ResourceClass, ResourceSpec, RetrySpec, typed};

/// A file of cases.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// The cases, in order.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The rule it checks, in words.
    pub name: String,
    /// The facts.
    #[serde(default)]
    pub given: Given,
    /// What the choice must say; nothing else is looked at.
    pub expect: Expect,
}

/// The facts of a case. What is not given is ordinary: a first attempt of the task `task` of the workflow `workflow`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The task.
    #[serde(default)]
    pub task: GivenTask,
    /// The run.
    #[serde(default)]
    pub run: GivenRun,
    /// The time of asking, RFC 3339; 2026-01-01T12:00:00Z, a Thursday, when absent.
    #[serde(default)]
    pub now: Option<At>,
    /// How full pools are; those not named are empty.
    #[serde(default)]
    pub usage: BTreeMap<String, GivenUsage>,
}

/// Facts of the task.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "named as in the DSL and in TaskFacts")]
pub struct GivenTask {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub agent: Option<String>,
    #[serde(default)]
    pub action: Option<String>,
    #[serde(default)]
    pub params: Map<String, Value>,
    #[serde(default)]
    pub priority: Option<u8>,
    #[serde(default)]
    pub retry: RetrySpec,
    #[serde(default)]
    pub timeout_s: Option<f64>,
    #[serde(default)]
    pub resources: ResourceSpec,
    #[serde(default)]
    pub pools: Vec<String>,
    #[serde(default)]
    pub on_denied: Option<OnDenied>,
    #[serde(default)]
    pub attempt: Option<u32>,
    #[serde(default)]
    pub epoch: Option<u32>,
    #[serde(default)]
    pub approved: bool,
}

/// Facts of the run.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "named as in the DSL and in RunFacts")]
pub struct GivenRun {
    #[serde(default)]
    pub workflow: Option<String>,
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    pub priority: Option<u8>,
    #[serde(default)]
    pub inputs: Map<String, Value>,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    #[serde(default)]
    pub task_count: Option<usize>,
    #[serde(default)]
    pub submitted_at: Option<At>,
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenUsage {
    /// Slots; the policy's when absent.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// Slots in use.
    #[serde(default)]
    pub used: u32,
    /// Tasks in line.
    #[serde(default)]
    pub waiting: u32,
}

/// A point in time, written as in RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub Timestamp);

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = At;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time with its zone, as in 2026-01-15T22:30:00+01:00")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<At, E> {
                let instant: Result<jiff::Timestamp, _> = text.parse();
                let instant = instant.map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
                Ok(At(Timestamp(instant.as_millisecond())))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// What a choice must say. Every key is optional.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Whether the task may run.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// What happens to a denied task.
    #[serde(default)]
    pub on_denied: Option<OnDenied>,
    /// What a held task waits for.
    #[serde(default)]
    pub hold_reason: Option<HoldReason>,
    /// When a held task is asked about again.
    #[serde(default)]
    pub until: Option<At>,
    /// Resource class.
    #[serde(default)]
    pub resource_class: Option<ResourceClass>,
    /// Priority.
    #[serde(default)]
    pub priority: Option<u8>,
    /// Memory in GB.
    #[serde(default)]
    pub memory_gb: Option<f64>,
    /// The model an LLM agent should use; `none` for no model.
    #[serde(default)]
    pub llm_model: Option<String>,
    /// Whether a training agent should distribute its work.
    #[serde(default)]
    pub use_distributed: Option<bool>,
    /// Values for the agent; others may be there as well.
    #[serde(default)]
    pub extra: BTreeMap<String, Value>,
    /// Time limit of an attempt, seconds.
    #[serde(default)]
    pub timeout_s: Option<f64>,
    /// Retries after the first attempt.
    #[serde(default)]
    pub max_retries: Option<u32>,
    /// Whether failures are retried without a person.
    #[serde(default)]
    pub auto_retry: Option<bool>,
    /// All pools, in any order.
    #[serde(default)]
    pub pools: Option<Vec<String>>,
    /// Names that must be among the matched ones.
    #[serde(default)]
    pub matched: Vec<String>,
    /// Text that the reason must contain.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The kinds of [`crate::policy::Verdict`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "described at Verdict")]
pub enum Outcome {
    Allow,
    Deny,
    Hold,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// Where the choice differs from what was expected; empty when the case passed.
    pub differences: Vec<Unexpected>,
    /// The choice.
    pub choice: Choice,
}

impl CaseResult {
    /// Whether the choice is the expected one.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unexpected {
    /// The key under `expect`.
    pub key: String,
    /// What was expected.
    pub expected: Value,
    /// What the choice says.
    pub found: Value,
}

/// Reads a file of cases, YAML or JSON.
///
/// # Errors
/// With every fault of the text, or with the first value that is no case.
pub fn read(text: &str) -> Result<Cases, Vec<typed::Problem>> {
    typed::read(text, &Limits::local_file())
}

/// Puts every case to the policy.
pub fn run(policy: &Policy, cases: &Cases) -> Vec<CaseResult> {
    cases.cases.iter().map(|case| run_one(policy, case)).collect()
}

/// 2026-01-01T12:00:00Z.
const DEFAULT_NOW: Timestamp = Timestamp(1_767_268_800_000);

fn run_one(policy: &Policy, case: &Case) -> CaseResult {
    let choice = case.given.put_to(policy);
    CaseResult {
        name: case.name.clone(),
        differences: case.expect.compare(&choice),
        choice,
    }
}

impl Given {
    fn put_to(&self, policy: &Policy) -> Choice {
        let (task, run) = (&self.task, &self.run);
        let now = self.now.map_or(DEFAULT_NOW, |At(now)| now);
        let params = Value::Object(task.params.clone());
        let (inputs, metadata) = (
            Value::Object(run.inputs.clone()),
            Value::Object(run.metadata.clone()),
        );
        let usage: Vec<PoolUsage> = self
            .usage
            .iter()
            .map(|(pool, given)| given.of(pool, policy))
            .collect();
        let question = Question {
            task: TaskFacts {
                id: task.id.as_deref().unwrap_or("task"),
                agent: task.agent.as_deref().unwrap_or_default(),
                action: task.action.as_deref().unwrap_or_default(),
                params: &params,
                priority: task.priority,
                retry: task.retry,
                timeout_ms: task.timeout_s.map(|seconds| (seconds * 1000.0).round() as u64),
                resources: task.resources,
                pools: &task.pools,
                on_denied: task.on_denied,
                epoch: task.epoch.unwrap_or(1),
                attempt: task.attempt.unwrap_or(1),
                approved: task.approved,
                item: None,
            },
            run: RunFacts {
                id: None,
                workflow: run.workflow.as_deref().unwrap_or("workflow"),
                client_id: run.client_id.as_deref(),
                priority: run.priority,
                inputs: &inputs,
                metadata: &metadata,
                task_count: run.task_count.unwrap_or(1),
                submitted_at: run.submitted_at.map_or(now, |At(at)| at),
            },
            now,
            usage: &usage,
        };
        super::choose(policy, &question)
    }
}

impl GivenUsage {
    fn of(self, pool: &str, policy: &Policy) -> PoolUsage {
        let capacity = self.capacity.or_else(|| policy.capacities().get(pool).copied());
        PoolUsage {
            pool: pool.to_owned(),
            capacity: capacity.unwrap_or(self.used),
            used: self.used,
            waiting: self.waiting,
        }
    }
}

#[cfg(test)]
mod tests;
