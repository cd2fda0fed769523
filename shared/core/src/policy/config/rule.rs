//! Rules as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::workflow::ResourceClass;

/// One rule: a condition and what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Unique; named in explanations.
    pub name: String,
    /// CEL over `task`, `run`, `usage` and `now`; a rule without it always applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Overrides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetConfig>,
    /// Retry settings; they win over the task's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryConfig>,
    /// Denies the task, for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<String>,
    /// Holds the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<HoldForms>")]
    pub hold: Option<HoldConfig>,
    /// Holds the task until a person has approved it, for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_approval: Option<String>,
    /// Whether the rules after this one are passed over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop: bool,
}

/// What a rule may `set`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetConfig {
    /// Resource class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_class: Option<ResourceClass>,
    /// 1 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Memory in GB; `max_memory_per_task_gb` still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<f64>,
    /// The model an LLM agent should use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_model: Option<String>,
    /// Whether a training agent should distribute its work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_distributed: Option<bool>,
    /// Longest run time of one attempt, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<f64>,
    /// Named pools to hold a slot of, besides the task's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<Vec<String>>,
    /// Handed to the agent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<BTreeMap<String, Value>>,
}

/// The `retry` of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// Whether failures are retried without a person; cannot be switched on for destructive actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto: Option<bool>,
    /// Retries after the first attempt, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Upper bound of the first delay, seconds; doubles with every retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_base_s: Option<f64>,
    /// Cap of the delay, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_max_s: Option<f64>,
}

/// The `hold` of a rule: a reason, or a reason and after how long to ask again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HoldConfig {
    /// Why.
    pub reason: String,
    /// After how long to ask again, as in `10m`; `hold_recheck_s` when absent.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub recheck: Option<String>,
}

/// A reason, or a reason and after how long to ask again.
#[derive(JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
enum HoldForms {
    /// Why.
    Reason(String),
    /// Why, and after how long to ask again.
    Long {
        /// Why.
        reason: String,
        /// After how long to ask again, as in `10m`.
        #[schemars(rename = "for")]
        recheck: Option<String>,
    },
}

impl<'de> Deserialize<'de> for HoldConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HoldConfig, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            reason: String,
            #[serde(default, rename = "for")]
            recheck: Option<String>,
        }
        struct ShortOrLong;
        impl<'de> Visitor<'de> for ShortOrLong {
            type Value = HoldConfig;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a reason, or a mapping with 'reason' and 'for'")
            }

            fn visit_str<E: de::Error>(self, reason: &str) -> Result<HoldConfig, E> {
                Ok(HoldConfig {
                    reason: reason.to_owned(),
                    recheck: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HoldConfig, A::Error> {
                let long = Long::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(HoldConfig {
                    reason: long.reason,
                    recheck: long.recheck,
                })
            }
        }
        deserializer.deserialize_any(ShortOrLong)
    }
}
