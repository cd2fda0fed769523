//! The configuration file as written. Every key is optional; defaults are filled in by [`super::load`](super::load()).

use std::collections::BTreeMap;
use std::fmt;

use orchestrator_core::policy::PolicyConfig;
use orchestrator_core::sla::OnBreach;
use orchestrator_translate::catalogue::{Action, Shipped};
use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

pub use super::translation::raw::{CostsConfig, TranslationConfig};

/// The file.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The orchestrator itself.
    #[serde(default)]
    pub master_orchestrator: OrchestratorConfig,
    /// The agents by name.
    #[serde(default)]
    pub agents: BTreeMap<String, AgentConfig>,
}

/// `master_orchestrator`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrchestratorConfig {
    /// The policy, on top of the default policy.
    #[serde(default)]
    pub decision: PolicyConfig,
    /// Traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// Deadlines.
    #[serde(default)]
    pub sla: SlaConfig,
    /// Cache of memoised results.
    #[serde(default)]
    pub cache: CacheConfig,
    /// What is let in over the API.
    #[serde(default)]
    pub intake: IntakeConfig,
    /// Slots of the named pools, which tasks name in `pools`.
    #[serde(default)]
    pub pools: BTreeMap<String, u32>,
    /// One point of priority outweighs this many seconds of waiting for a pool.
    #[serde(default)]
    pub ageing_s: Option<f64>,
    /// Bounds on documents and attempts.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How sentences become workflows.
    #[serde(default)]
    pub translation: TranslationConfig,
    /// What machines cost, for estimates.
    #[serde(default)]
    pub costs: CostsConfig,
}

/// `master_orchestrator.telemetry`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Whether traces are exported.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Name of the service in traces.
    #[serde(default)]
    pub service_name: Option<String>,
    /// Version of the service in traces.
    #[serde(default)]
    pub service_version: Option<String>,
    /// Where traces are sent, OTLP over HTTP.
    #[serde(default)]
    pub otlp_endpoint: Option<String>,
    /// Share of the traces that are exported, 0 to 1, unless the caller has decided.
    #[serde(default)]
    pub sample_ratio: Option<f64>,
}

/// `master_orchestrator.sla`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlaConfig {
    /// Longest run time of one task.
    #[serde(default)]
    pub task_max_seconds: Option<f64>,
    /// Longest time from submission to the end of a run.
    #[serde(default)]
    pub workflow_max_seconds: Option<f64>,
    /// Longest time a task may wait until it starts.
    #[serde(default)]
    pub queue_max_seconds: Option<f64>,
    /// Longest silence of a running attempt.
    #[serde(default)]
    pub heartbeat_seconds: Option<f64>,
    /// Part of a deadline after which there is a warning, percent.
    #[serde(default)]
    pub warn_percent: Option<u64>,
    /// What happens to a task that misses a deadline.
    #[serde(default)]
    pub on_breach: Option<OnBreach>,
    /// What happens to a run that misses `workflow_max_seconds`.
    #[serde(default)]
    pub on_workflow_breach: Option<OnBreach>,
    /// How often deadlines are looked at.
    #[serde(default, alias = "check_interval_s")]
    pub check_interval_seconds: Option<f64>,
    /// Where alerts are sent.
    #[serde(default)]
    pub webhook: Option<WebhookConfig>,
}

/// `master_orchestrator.sla.webhook`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Gets every alert with POST.
    pub url: String,
    /// Environment variable with the key that signs alerts.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// File with the key that signs alerts.
    #[serde(default)]
    pub secret_file: Option<String>,
}

/// `master_orchestrator.cache`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    /// A Redis or Valkey server for results, on AWS, where the stack has no cache.
    #[serde(default)]
    pub redis_url: Option<String>,
    /// How long a translation is remembered, seconds.
    #[serde(default)]
    pub default_ttl: Option<f64>,
    /// How long the result of a task that may be reused is kept, seconds.
    #[serde(default)]
    pub task_ttl: Option<f64>,
}

/// `master_orchestrator.intake`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntakeConfig {
    /// Requests per minute and client.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// Requests per hour and client.
    #[serde(default)]
    pub requests_per_hour: Option<u32>,
    /// Requests that may come at once after a pause.
    #[serde(default)]
    pub burst: Option<u32>,
    /// Runs a client may have at a time.
    #[serde(default)]
    pub max_concurrent_runs: Option<u32>,
    /// What happens to more runs than that.
    #[serde(default)]
    pub on_limit: Option<OnLimit>,
    /// Bytes of a document that comes over the API.
    #[serde(default)]
    pub document_bytes_max: Option<u64>,
    /// How long an `Idempotency-Key` is remembered, seconds.
    #[serde(default)]
    pub idempotency_ttl_s: Option<f64>,
}

/// What happens to a run above `max_concurrent_runs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// It waits for its turn.
    Queue,
    /// It is refused with status 429.
    Reject,
}

/// `master_orchestrator.limits`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes of a document read from a local file.
    #[serde(default)]
    pub local_document_bytes_max: Option<u64>,
    /// Levels of nesting of a document.
    #[serde(default)]
    pub depth_max: Option<u64>,
    /// Values in a document, those repeated by aliases included.
    #[serde(default)]
    pub nodes_max: Option<u64>,
    /// Uses of YAML aliases in a document.
    #[serde(default)]
    pub aliases_max: Option<u64>,
    /// Bytes of one text in a document.
    #[serde(default)]
    pub text_bytes_max: Option<u64>,
    /// Problems reported of a document.
    #[serde(default)]
    pub problems_max: Option<u64>,
    /// Bytes of log kept of an attempt.
    #[serde(default)]
    pub agent_log_bytes_max: Option<u64>,
    /// Bytes of output accepted of an attempt.
    #[serde(default)]
    pub agent_output_bytes_max: Option<u64>,
    /// Bytes of a checkpoint of an attempt.
    #[serde(default)]
    pub agent_checkpoint_bytes_max: Option<u64>,
    /// Seconds an attempt that was told to stop may take before it is killed.
    #[serde(default)]
    pub agent_grace_s: Option<f64>,
    /// Attempts of command and HTTP agents worked on at a time in this process.
    #[serde(default)]
    pub agent_threads_max: Option<u64>,
}

/// One of `agents`: exactly one of `command`, `http` and `builtin`, and what goes with it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Program and arguments, started once per attempt without a shell.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// URL of a service that gets the envelope with POST.
    #[serde(default)]
    pub http: Option<String>,
    /// An agent that is part of the orchestrator.
    #[serde(default)]
    pub builtin: Option<super::Builtin>,
    /// Tasks it does at a time, over all runs.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// Environment variables added for its command.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Longest run time of one attempt, for tasks that do not say otherwise.
    #[serde(default)]
    #[schemars(with = "Option<DurationForms>")]
    pub timeout: Option<Duration>,
    /// A text that is changed whenever results that were kept will not do any more.
    #[serde(default)]
    pub version: Option<String>,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// A catalogue of the program that describes an agent of this name.
    #[serde(default)]
    pub catalogue: Option<Shipped>,
    /// Its actions. With `catalogue`, those of the catalogue that it offers, with what differs.
    #[serde(default)]
    pub actions: BTreeMap<String, Action>,
}

/// A duration: a number of seconds, or a text such as `30s`, `5m`, `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// In milliseconds, at least 1.
    pub millis: u64,
}

/// A duration: a number of seconds, or a text.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum DurationForms {
    /// Seconds.
    Seconds(f64),
    /// As in `30s`, `5m`, `1h30m`.
    Text(String),
}

/// Longest duration a configuration may name: 366 days.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a duration (a number of seconds, or a text like '30s', '5m', '1h30m'; at most a year)",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                let wrong = || E::invalid_value(de::Unexpected::Str(text), &self);
                let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
                whole_millis(span.as_secs_f64()).ok_or_else(wrong)
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
                whole_millis(seconds).ok_or_else(|| E::invalid_value(de::Unexpected::Float(seconds), &self))
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
                self.visit_f64(seconds as f64)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

fn whole_millis(seconds: f64) -> Option<Duration> {
    let millis = millis(seconds)?;
    (millis > 0).then_some(Duration { millis })
}

/// Seconds as milliseconds; `None` when negative, not a number, or more than a year.
pub(super) fn millis(seconds: f64) -> Option<u64> {
    (0.0..=SECONDS_MAX)
        .contains(&seconds)
        .then(|| (seconds * 1000.0).round() as u64)
}

/// The JSON Schema of a configuration file, for editors; published as `docs/configuration.schema.json`.
pub fn json_schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<FileConfig>().to_value();
    // Schemas are made from the names that are written; the second name that is read is added here.
    let interval = schema
        .pointer("/$defs/SlaConfig/properties/check_interval_seconds")
        .cloned();
    let sla = schema
        .pointer_mut("/$defs/SlaConfig/properties")
        .and_then(serde_json::Value::as_object_mut);
    if let (Some(interval), Some(sla)) = (interval, sla) {
        sla.insert("check_interval_s".to_owned(), interval);
    }
    schema
}
