//! A policy ready to answer: the default policy, overridden key by key, checked and prepared.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::check;
use super::config::{ActionClasses, BaseMemory, DatasetStep, MemoryConfig, PolicyConfig, default_config};
use super::pattern::Patterns;
use super::rule::Rule;
use super::window::{self, Window};
use crate::workflow::{OnDenied, ResourceClass, RetrySpec};

/// The pool of tasks of class `gpu`.
pub const GPU_POOL: &str = "gpu";
/// The pool of tasks of every other class.
pub const CPU_POOL: &str = "cpu";
/// Most retries any key may ask for.
pub const RETRIES_MAX: u32 = 100;

/// What besides the `decision:` block shapes a choice; part of what [`Policy::version`] covers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surroundings {
    /// Capacities of the named pools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<String, u32>,
    /// Limits of agents, by name; agents without limits may be left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub agents: BTreeMap<String, AgentLimits>,
}

/// Limits of one agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentLimits {
    /// Tasks it does at a time, over all runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Longest run time of one attempt, milliseconds, for tasks that do not say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// A key of a policy has a value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct PolicyError {
    /// The key, as in `rules[2].when`; relative to the `decision:` block (or to the file for `pools`).
    pub path: String,
    /// What is wrong, and the remedy.
    pub message: String,
}

impl PolicyError {
    pub(super) fn at(path: &str, message: impl Into<String>) -> PolicyError {
        PolicyError {
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

/// Everything a policy says, as data: what is stored, hashed and compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Effective {
    decision: PolicyConfig,
    #[serde(default)]
    surroundings: Surroundings,
}

/// A policy that can be asked. Immutable; a changed configuration is another policy with another version.
#[derive(Debug)]
pub struct Policy {
    canonical: String,
    version: String,
    capacities: BTreeMap<String, u32>,
    pub(super) surroundings: Surroundings,
    pub(super) agent_pools: BTreeMap<String, String>,
    pub(super) gpu_agents: Patterns,
    pub(super) cpu_agents: Patterns,
    pub(super) ml_agents: Patterns,
    pub(super) action_classes: [(ResourceClass, Patterns); 3],
    pub(super) max_task_count: u32,
    pub(super) blocked_actions: Patterns,
    pub(super) base_gb: BaseMemory,
    pub(super) action_factors: Vec<(Patterns, f64)>,
    /// Largest `over` first.
    pub(super) dataset_steps: Vec<DatasetStep>,
    pub(super) memory_max_gb: f64,
    pub(super) models: Vec<Model>,
    pub(super) priorities: Vec<Priority>,
    pub(super) default_priority: u8,
    pub(super) priority_agents: Patterns,
    pub(super) priority_agents_priority: u8,
    pub(super) urgent_bonus: u8,
    pub(super) retry: RetrySpec,
    pub(super) destructive_actions: Patterns,
    pub(super) on_denied: OnDenied,
    pub(super) hold_recheck_ms: u64,
    pub(super) time_zone: TimeZone,
    pub(super) windows: Vec<Window>,
    pub(super) rules: Vec<Rule>,
}

/// A prepared entry of `model_rules`.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) label: String,
    pub(super) actions: Option<Patterns>,
    pub(super) agents: Option<Patterns>,
    pub(super) model: String,
}

/// A prepared entry of `priorities`.
#[derive(Debug)]
pub(super) struct Priority {
    pub(super) label: String,
    pub(super) priority: u8,
    pub(super) actions: Patterns,
    pub(super) agents: Patterns,
    pub(super) metadata: Vec<String>,
}

impl Policy {
    /// The default policy with `overrides` on top.
    ///
    /// # Errors
    /// With the first key that cannot be used.
    pub fn new(overrides: &PolicyConfig, surroundings: Surroundings) -> Result<Policy, PolicyError> {
        let mut decision = to_json(&default_config());
        merge(&mut decision, to_json(overrides));
        let decision = serde_json::from_value(decision)
            .map_err(|error| PolicyError::at("decision", error.to_string()))?;
        Policy::prepare(Effective {
            decision,
            surroundings,
        })
    }

    /// The policy that [`Policy::canonical`] came from, whatever today's default policy is.
    ///
    /// # Errors
    /// When the text is not the canonical form of a policy.
    pub fn from_canonical(text: &str) -> Result<Policy, PolicyError> {
        let effective =
            serde_json::from_str(text).map_err(|error| PolicyError::at("policy", error.to_string()))?;
        Policy::prepare(effective)
    }

    /// Everything it says, as JSON with sorted keys: what its version is the hash of, and what is stored with runs.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The first 12 hexadecimal digits of the SHA-256 of [`Policy::canonical`].
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Capacities of the pools its choices name: `gpu`, `cpu`, the named pools, and `agent:NAME` of limited agents.
    pub fn capacities(&self) -> &BTreeMap<String, u32> {
        &self.capacities
    }

    /// Tasks a workflow may have.
    pub fn max_task_count(&self) -> u32 {
        self.max_task_count
    }

    /// Whether the action is one of `blocked_actions`.
    pub fn is_blocked(&self, action: &str) -> bool {
        self.blocked_actions.matches(action)
    }

    /// Whether a rule looks at `usage`: only then need [`super::Question::usage`] be filled.
    pub fn reads_usage(&self) -> bool {
        self.rules.iter().any(|rule| rule.reads("usage"))
    }

    /// Whether the answer may change as time passes (windows, or rules that look at `now` or `usage`).
    pub fn depends_on_time(&self) -> bool {
        !self.windows.is_empty()
            || self
                .rules
                .iter()
                .any(|rule| rule.reads("now") || rule.reads("usage"))
    }

    fn prepare(effective: Effective) -> Result<Policy, PolicyError> {
        let canonical = to_json(&effective).to_string();
        let version = hex::encode(&Sha256::digest(&canonical)[..6]);
        let Effective {
            decision,
            surroundings,
        } = effective;
        let limits = decision.resource_limits.unwrap_or_default();
        let capacities = check::capacities(&limits, &surroundings)?;
        let time_zone = match &decision.time_zone {
            Some(name) => window::time_zone(name, "time_zone")?,
            None => TimeZone::UTC,
        };
        let ActionClasses { gpu, memory, compute } = decision.action_classes.clone().unwrap_or_default();
        let MemoryConfig {
            base_gb,
            action_factors,
        } = decision.memory.clone().unwrap_or_default();
        let list = |list: &Option<Vec<String>>| Patterns::new(list.as_deref().unwrap_or_default());
        check::no_agent_in_both(&decision)?;
        Ok(Policy {
            agent_pools: check::agent_pools(&surroundings),
            gpu_agents: list(&decision.gpu_agents),
            cpu_agents: list(&decision.cpu_agents),
            ml_agents: list(&decision.ml_agents),
            action_classes: [
                (ResourceClass::Gpu, list(&gpu)),
                (ResourceClass::Memory, list(&memory)),
                (ResourceClass::Compute, list(&compute)),
            ],
            max_task_count: check::set("max_task_count", decision.max_task_count)?,
            blocked_actions: list(&decision.blocked_actions),
            base_gb: check::base_memory(base_gb)?,
            action_factors: check::factors(&action_factors.unwrap_or_default())?,
            dataset_steps: check::dataset_steps(decision.dataset_scaling.as_deref().unwrap_or_default())?,
            memory_max_gb: check::positive(
                "resource_limits.max_memory_per_task_gb",
                limits.max_memory_per_task_gb,
            )?,
            models: check::models(&decision),
            priorities: check::priorities(&decision)?,
            default_priority: check::priority(
                "default_priority",
                check::set("default_priority", decision.default_priority)?,
            )?,
            priority_agents: list(&decision.priority_agents),
            priority_agents_priority: check::priority(
                "priority_agents_priority",
                check::set("priority_agents_priority", decision.priority_agents_priority)?,
            )?,
            urgent_bonus: check::set("urgent_bonus", decision.urgent_bonus)?,
            retry: check::retry("retry", check::set("retry", decision.retry)?)?,
            destructive_actions: list(&decision.destructive_actions),
            on_denied: check::set("on_denied", decision.on_denied)?,
            hold_recheck_ms: check::seconds(
                "hold_recheck_s",
                check::set("hold_recheck_s", decision.hold_recheck_s)?,
            )?,
            windows: check::windows(&decision, &time_zone)?,
            rules: check::rules(decision.rules.as_deref().unwrap_or_default(), &capacities)?,
            time_zone,
            capacities,
            surroundings,
            canonical,
            version,
        })
    }
}

fn to_json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("a policy is plain data with text keys")
}

/// Mappings are merged, everything else is replaced.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(existing) => merge(existing, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (base, over) => *base = over,
    }
}

/// Name of the pool that limits an agent.
pub fn agent_pool(agent: &str) -> String {
    format!("agent:{agent}")
}
