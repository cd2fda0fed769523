//! A policy as it is written: the `decision:` block of a configuration file.
//!
//! Every key is optional here; what a file does not name keeps the value of the default policy. A mapping is merged key by
//! key, a list or a number replaces the default's. The meaning of each key is in `docs/configuration.md`.

mod rule;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::workflow::limits::Limits;
use crate::workflow::{OnDenied, RetrySpec, typed};

pub use rule::{HoldConfig, RetryConfig, RuleConfig, SetConfig};

/// The default policy as shipped: a commented file.
pub const DEFAULT_POLICY: &str = include_str!("default_policy.yaml");

/// The default policy, read. It sets every key.
pub fn default_config() -> PolicyConfig {
    typed::read(DEFAULT_POLICY, &Limits::local_file()).expect("a test reads the default policy")
}

/// The `decision:` block. Lists of agents and actions may use `*` for any run of characters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Agents whose tasks get a GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_agents: Option<Vec<String>>,
    /// Agents that never get a GPU, whatever the task asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_agents: Option<Vec<String>>,
    /// Tasks a workflow may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_task_count: Option<u32>,
    /// Actions that are denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_actions: Option<Vec<String>>,
    /// Agents whose tasks have priority 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_agents: Option<Vec<String>>,
    /// IANA name of the time zone of `now` in rules, and of windows that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Times in which tasks are held or skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_windows: Option<Vec<WindowConfig>>,
    /// Limits across runs and per task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_limits: Option<ResourceLimits>,
    /// Resource classes by action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_classes: Option<ActionClasses>,
    /// How much memory a task gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryConfig>,
    /// What a large `dataset_size` changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_scaling: Option<Vec<DatasetStep>>,
    /// Agents that distribute their work over a large data set, besides `gpu_agents`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ml_agents: Option<Vec<String>>,
    /// Which model an LLM agent should use; the first rule that matches counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_rules: Option<Vec<ModelRule>>,
    /// Base priorities; the first entry that matches counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priorities: Option<Vec<PriorityRule>>,
    /// Base priority when nothing else gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_priority: Option<u8>,
    /// Base priority of the tasks of `priority_agents`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_agents_priority: Option<u8>,
    /// Added when the run's metadata says `urgent: true`; the result stays at or below 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgent_bonus: Option<u8>,
    /// Retries of tasks that do not say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySpec>,
    /// Actions that are never retried without a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive_actions: Option<Vec<String>>,
    /// What happens to a denied task that does not say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_denied: Option<OnDenied>,
    /// After how many seconds a task held by a rule is asked about again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_recheck_s: Option<f64>,
    /// Ordered rules with conditions, asked after everything above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<RuleConfig>>,
}

/// `resource_limits`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceLimits {
    /// Slots of the pool `gpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_gpu_tasks: Option<u32>,
    /// Slots of the pool `cpu`: tasks of every other class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_cpu_tasks: Option<u32>,
    /// Memory no task exceeds, GB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_per_task_gb: Option<f64>,
}

/// `action_classes`: actions that want a certain kind of machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionClasses {
    /// Actions on a GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Vec<String>>,
    /// Memory-optimised actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Vec<String>>,
    /// Compute-optimised actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<Vec<String>>,
}

/// `memory`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryConfig {
    /// GB by resource class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_gb: Option<BaseMemory>,
    /// Multiples for certain actions; the first that matches counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_factors: Option<Vec<ActionFactor>>,
}

/// `memory.base_gb`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaseMemory {
    /// Of class `cpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Of class `gpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<f64>,
    /// Of class `memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<f64>,
    /// Of class `compute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<f64>,
}

/// One entry of `memory.action_factors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionFactor {
    /// The actions.
    pub actions: Vec<String>,
    /// What their base memory is multiplied by.
    pub factor: f64,
}

/// One entry of `dataset_scaling`; the one with the largest `over` that is exceeded counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetStep {
    /// Applies to a `dataset_size` greater than this.
    pub over: f64,
    /// What memory is multiplied by.
    pub memory_factor: f64,
    /// Whether ML agents distribute their work.
    #[serde(default)]
    pub distribute: bool,
}

/// One entry of `model_rules`. It matches when agent and action match; an absent list matches all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRule {
    /// Named in explanations.
    pub name: String,
    /// The actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<String>>,
    /// The agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<String>>,
    /// The model, in words the agent understands.
    pub model: String,
}

/// One entry of `priorities`. It matches when *any* of its lists does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorityRule {
    /// Named in explanations.
    pub name: String,
    /// 1 to 10, 10 most urgent.
    pub priority: u8,
    /// The actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// The agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// Keys of the run's metadata that are `true`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<String>,
}

/// One maintenance window, every week or every day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// Named in explanations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The days on which it starts; every day when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<Day>>,
    /// Local time of day at which it starts, `HH:MM`.
    pub start: String,
    /// Local time of day at which it ends, `HH:MM`; at or before `start` means the next day.
    pub end: String,
    /// IANA name of the time zone; the policy's `time_zone` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What happens to tasks meanwhile.
    #[serde(default)]
    pub mode: WindowMode,
    /// Only these agents; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<String>>,
    /// Only these actions; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<String>>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// What a maintenance window does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowMode {
    /// Tasks wait for its end.
    #[default]
    Hold,
    /// Tasks are skipped.
    Skip,
}
