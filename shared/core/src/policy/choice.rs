//! What the policy answers about one task.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::Timestamp;
use crate::workflow::{OnDenied, ResourceClass};

/// The complete answer: everything later steps need, so that dispatch and retries look nothing up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// May it run?
    pub verdict: Verdict,
    /// Where and how.
    pub overrides: Overrides,
    /// What happens after a failed attempt.
    pub retry: RetryRule,
    /// Longest run time of one attempt, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Slots to hold while queued or running, sorted by pool name; taken all or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolDemand>,
    /// Names of the rules and built-in keys that shaped the answer, in the order they applied.
    pub matched: Vec<String>,
    /// Why, in one sentence for people.
    pub reason: String,
    /// Version (content hash, hexadecimal, shortened) of the policy that answered.
    pub policy_version: String,
}

/// Whether the task may run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Deny {
        /// What happens to the task instead.
        on_denied: OnDenied,
    },
    /// Not now.
    Hold {
        /// What it waits for.
        reason: HoldReason,
        /// When to ask again at the latest; `None` waits for an event (an approval, a freed slot, an operator).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
}

/// What a held task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The end of a maintenance window.
    Window,
    /// A slot in a pool.
    Pool,
    /// A person's approval.
    Approval,
    /// Budget.
    Budget,
    /// A rule that holds it, or a rule that could not be evaluated (errors fail closed).
    Policy,
    /// An operator: the policy denied it and `on_denied` is `hold`.
    Denied,
}

/// Where and how a task runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overrides {
    /// Resource class.
    pub resource_class: ResourceClass,
    /// 1 to 10, 10 most urgent.
    pub priority: u8,
    /// Memory in GB.
    pub memory_gb: f64,
    /// The model an LLM agent should use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_model: Option<String>,
    /// Whether a training agent should distribute its work.
    #[serde(default)]
    pub use_distributed: bool,
    /// Anything else a rule `set`s, passed to the agent as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Value>,
}

/// What happens after a failed attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryRule {
    /// Whether failures may be retried without a person (`should_auto_retry`): never for destructive actions.
    pub auto: bool,
    /// Retries after the first attempt.
    pub max_retries: u32,
    /// Upper bound of the first delay, milliseconds; doubles with every retry.
    pub backoff_base_ms: u64,
    /// Cap of the delay, milliseconds.
    pub backoff_max_ms: u64,
}

/// Slots of one pool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PoolDemand {
    /// Name of the pool.
    pub pool: String,
    /// Number of slots, at least 1.
    pub slots: u32,
}
