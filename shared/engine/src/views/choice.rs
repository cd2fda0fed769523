//! What the policy chose for a task.

use orchestrator_core::policy::{Choice, PoolDemand};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::plan::decision;

/// A choice of the policy, as recorded before dispatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Choice")]
pub struct ChoiceView {
    /// `run`, `deny: skip`, `deny: fail`, `deny: hold` or `hold: REASON`.
    pub decision: String,
    /// `cpu`, `gpu`, `memory` or `compute`.
    pub resource_class: String,
    /// 1 to 10, 10 most urgent.
    pub priority: u8,
    /// Memory in GB.
    pub memory_gb: f64,
    /// The model an LLM agent should use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_model: Option<String>,
    /// Whether the work is distributed.
    pub use_distributed: bool,
    /// Anything else a rule set.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
    /// Whether failures are retried without a person.
    pub retries_by_itself: bool,
    /// Retries after the first attempt.
    pub max_retries: u32,
    /// Upper bound of the first delay; doubles with every retry.
    pub backoff_base_ms: u64,
    /// Cap of the delay.
    pub backoff_max_ms: u64,
    /// Longest run time of one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Slots held while queued or running.
    pub pools: Vec<DemandView>,
    /// Keys and rules of the policy that shaped it, in the order they applied.
    pub matched: Vec<String>,
    /// Why, in one sentence.
    pub reason: String,
    /// Version of the policy.
    pub policy_version: String,
}

/// Slots of one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PoolDemand")]
pub struct DemandView {
    /// The pool.
    pub pool: String,
    /// Slots asked for.
    pub slots: u32,
    /// Slots in use when the choice was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u32>,
}

impl ChoiceView {
    /// The view of a choice with the usage recorded beside it.
    pub fn of(choice: &Choice, usage: &[u32]) -> ChoiceView {
        let overrides = &choice.overrides;
        let demand = |(index, demand): (usize, &PoolDemand)| DemandView {
            pool: demand.pool.clone(),
            slots: demand.slots,
            used: usage.get(index).copied(),
        };
        ChoiceView {
            decision: decision(&choice.verdict),
            resource_class: overrides.resource_class.as_str().to_owned(),
            priority: overrides.priority,
            memory_gb: overrides.memory_gb,
            llm_model: overrides.llm_model.clone(),
            use_distributed: overrides.use_distributed,
            extra: overrides
                .extra
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            retries_by_itself: choice.retry.auto,
            max_retries: choice.retry.max_retries,
            backoff_base_ms: choice.retry.backoff_base_ms,
            backoff_max_ms: choice.retry.backoff_max_ms,
            timeout_ms: choice.timeout_ms,
            pools: choice.pools.iter().enumerate().map(demand).collect(),
            matched: choice.matched.clone(),
            reason: choice.reason.clone(),
            policy_version: choice.policy_version.clone(),
        }
    }
}
