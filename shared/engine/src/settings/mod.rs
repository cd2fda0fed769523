//! Configuration: from the text of `orchestrator.yaml` to checked [`Settings`].
//!
//! Two stages. [`raw`] holds the values as written, every key optional, unknown keys refused; [`load()`] checks them all,
//! fills in defaults and reports every problem with its line. The rest of the program sees only the second form.
//! `docs/configuration.md` describes each key; a test compares it with [`raw`].

pub mod raw;

mod agents;
mod digest;
mod load;
mod sla;
mod translation;

pub use agents::{Agent, AgentKind, Builtin};
pub use digest::{digest, version};
pub use load::load;
pub use translation::{
    Bedrock, BedrockOutput, Budget, Costs, KeySource, OpenAi, Structured, Translation, TranslatorKind,
};

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_core::guard::RateLimits;
use orchestrator_core::policy::Policy;
use orchestrator_core::sla::SlaSpec;
use orchestrator_core::workflow::Limits;
pub use orchestrator_core::workflow::typed::Problem;
use orchestrator_translate::Catalogue;

use crate::api;

/// Name of the configuration file that is looked for beside the workflow file and in the current directory.
pub const CONFIG_FILE_NAME: &str = "orchestrator.yaml";

/// The checked configuration.
#[derive(Debug)]
pub struct Settings {
    /// The policy: the default policy with the file's `decision:` on top, the pools and the agents' limits.
    pub policy: Policy,
    /// Traces.
    pub telemetry: Telemetry,
    /// Deadlines that hold where workflows and tasks do not say otherwise.
    pub sla: Sla,
    /// Cache of memoised results.
    pub cache: Cache,
    /// What is let in over the API.
    pub intake: Intake,
    /// One point of priority outweighs this much waiting for a pool, milliseconds.
    pub ageing_ms: u64,
    /// Bounds on what one attempt may use.
    pub attempts: AttemptLimits,
    /// The agents by name, built-in ones included.
    pub agents: BTreeMap<String, Agent>,
    /// How sentences become workflows.
    pub translation: Translation,
    /// What machines cost.
    pub costs: Costs,
    limits: raw::LimitsConfig,
}

/// `telemetry`.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "described at raw::TelemetryConfig")]
pub struct Telemetry {
    pub enabled: Option<bool>,
    pub service_name: String,
    pub service_version: String,
    pub otlp_endpoint: String,
    pub sample_ratio: f64,
}

/// `sla`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sla {
    /// Deadlines of runs whose documents say nothing.
    pub defaults: SlaSpec,
    /// How often deadlines are looked at, where there is no timer for each.
    pub check_interval_ms: u64,
    /// Where alerts are sent.
    pub webhook: Option<Webhook>,
}

/// `sla.webhook`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Gets every alert with POST.
    pub url: String,
    /// Where the key is that signs them.
    pub secret: Option<SecretSource>,
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In this environment variable.
    Variable(String),
    /// In this file; a relative path is relative to the configuration's directory.
    File(String),
}

/// `cache`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "described at raw::CacheConfig")]
pub struct Cache {
    pub redis_url: Option<String>,
    pub default_ttl_ms: u64,
    pub task_ttl_ms: u64,
}

/// `intake`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// How often a client may ask.
    pub rate: RateLimits,
    /// Runs a client may have at a time; `None` does not limit.
    pub runs_max: Option<u32>,
    /// What happens to more.
    pub on_limit: raw::OnLimit,
    /// Bytes of a request's body.
    pub document_bytes_max: usize,
    /// How long an `Idempotency-Key` is remembered.
    pub idempotency_ttl_ms: u64,
}

/// Bounds on what one attempt may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Bytes of log kept; the middle of a longer one is left out.
    pub log_bytes: u64,
    /// Bytes of output accepted.
    pub output_bytes: u64,
    /// Bytes of a checkpoint.
    pub checkpoint_bytes: u64,
    /// How long an attempt that was told to stop may take before it is killed.
    pub grace_ms: u64,
    /// Attempts worked on at a time by commands and HTTP agents of this process; further ones wait for a thread.
    pub threads: usize,
}

impl Default for AttemptLimits {
    fn default() -> AttemptLimits {
        AttemptLimits {
            log_bytes: 10 << 20,
            output_bytes: 1 << 20,
            checkpoint_bytes: 10 << 30,
            grace_ms: 5_000,
            threads: 1_024,
        }
    }
}

impl Settings {
    /// What holds without a configuration file.
    pub fn without_file() -> Settings {
        load("").expect("a test loads the empty configuration")
    }

    /// Bounds on documents that come over the API.
    pub fn api_limits(&self) -> Limits {
        let limits = Limits {
            document_bytes: self.intake.document_bytes_max,
            ..Limits::api()
        };
        self.bounded(limits)
    }

    /// Bounds on files of the user who runs the program.
    pub fn local_limits(&self) -> Limits {
        let mut limits = Limits::local_file();
        if let Some(bytes) = self.limits.local_document_bytes_max {
            limits.document_bytes = bytes as usize;
        }
        self.bounded(limits)
    }

    fn bounded(&self, mut limits: Limits) -> Limits {
        let raw::LimitsConfig {
            depth_max,
            nodes_max,
            aliases_max,
            text_bytes_max,
            problems_max,
            ..
        } = self.limits;
        let overrides = [
            (&mut limits.depth, depth_max),
            (&mut limits.nodes, nodes_max),
            (&mut limits.aliases, aliases_max),
            (&mut limits.text_bytes, text_bytes_max),
            (&mut limits.problems, problems_max),
        ];
        for (limit, configured) in overrides {
            if let Some(configured) = configured {
                *limit = configured as usize;
            }
        }
        limits.with_task_count(self.policy.max_task_count() as usize)
    }

    /// What the agents say about themselves.
    pub fn catalogue(&self) -> Catalogue {
        let described = self
            .agents
            .iter()
            .filter_map(|(name, agent)| Some((name.clone(), agent.entry.clone()?)));
        Catalogue::new(described.collect())
    }

    /// What the HTTP API lets in.
    pub fn api_intake(&self) -> api::Intake {
        api::Intake {
            limits: self.api_limits(),
            agents: Some(self.agents.keys().cloned().collect()),
            catalogue: Arc::new(self.catalogue()),
            translation: self.translation.limits(&self.cache),
            costs: self.costs,
            runs_max: self.intake.runs_max,
            queues_runs: self.intake.on_limit == raw::OnLimit::Queue,
            idempotency_ttl_ms: self.intake.idempotency_ttl_ms,
        }
    }
}

#[cfg(test)]
mod tests;
