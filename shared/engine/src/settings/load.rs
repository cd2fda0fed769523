//! Checks a configuration and fills in what it leaves out.

use orchestrator_core::guard::RateLimits;
use orchestrator_core::policy::{AgentLimits, Policy, PolicyError, Surroundings};
use orchestrator_core::workflow::{Limits, typed};

use super::raw::{self, CacheConfig, FileConfig, IntakeConfig, LimitsConfig, OnLimit, TelemetryConfig};
use super::{Agent, AttemptLimits, Cache, Intake, Problem, Settings, Telemetry, agents};

/// Reads the text of a configuration file, YAML or JSON. An empty text gives what holds without a file.
///
/// # Errors
/// With every problem that can be told apart; see [`Problem::in_file`].
pub fn load(text: &str) -> Result<Settings, Vec<Problem>> {
    let limits = Limits::local_file();
    let file: FileConfig = typed::read(text, &limits)?;
    check(file).map_err(|problems| {
        let problem = |(path, message): (String, String)| Problem {
            code: "config.bad-value".to_owned(),
            location: typed::locate(text, &limits, &path),
            path,
            message,
            remedy: String::new(),
        };
        problems.into_iter().map(problem).collect()
    })
}

/// Keys with what is wrong with them.
type Problems = Vec<(String, String)>;

fn check(file: FileConfig) -> Result<Settings, Problems> {
    let mut problems = Problems::new();
    let orchestrator = file.master_orchestrator;
    let agents = agents::check(file.agents).unwrap_or_else(|mut found| {
        problems.append(&mut found);
        Default::default()
    });
    let surroundings = Surroundings {
        pools: orchestrator.pools,
        agents: agents
            .iter()
            .filter_map(|(name, agent)| Some((name.clone(), limits_of(agent)?)))
            .collect(),
    };
    let policy = Policy::new(&orchestrator.decision, surroundings);
    let mut checker = Checker { problems };
    let settings = |policy, checker: &mut Checker| Settings {
        policy,
        telemetry: checker.telemetry(orchestrator.telemetry),
        sla: checker.sla(orchestrator.sla),
        cache: checker.cache(orchestrator.cache),
        intake: checker.intake(&orchestrator.intake),
        ageing_ms: checker.seconds("ageing_s", orchestrator.ageing_s, 60.0),
        attempts: checker.attempts(&orchestrator.limits),
        agents,
        limits: checker.limits(orchestrator.limits),
        translation: checker.translation(orchestrator.translation),
        costs: checker.costs(&orchestrator.costs),
    };
    match policy {
        Ok(policy) => {
            let settings = settings(policy, &mut checker);
            if checker.problems.is_empty() {
                Ok(settings)
            } else {
                Err(checker.problems)
            }
        }
        Err(PolicyError { path, message }) => {
            let block = if path.starts_with("pools.") {
                ""
            } else {
                "decision."
            };
            checker.problems.push((format!("{ROOT}{block}{path}"), message));
            // The other blocks are checked all the same, so that their problems are told too.
            let stand_in = Policy::new(&Default::default(), Surroundings::default());
            settings(stand_in.expect("the default policy is valid"), &mut checker);
            Err(checker.problems)
        }
    }
}

/// The block that most keys are in.
const ROOT: &str = "master_orchestrator.";

fn limits_of(agent: &Agent) -> Option<AgentLimits> {
    let limits = AgentLimits {
        concurrency: agent.concurrency,
        timeout_ms: agent.timeout_ms,
    };
    (limits != AgentLimits::default()).then_some(limits)
}

/// Collects problems while values are read; the value of a faulty key does not matter.
pub(super) struct Checker {
    problems: Problems,
}

impl Checker {
    pub(super) fn refuse(&mut self, key: &str, message: String) {
        self.problems.push((format!("{ROOT}{key}"), message));
    }

    /// A number of seconds as milliseconds.
    pub(super) fn seconds(&mut self, key: &str, value: Option<f64>, default: f64) -> u64 {
        let seconds = value.unwrap_or(default);
        raw::millis(seconds).unwrap_or_else(|| {
            self.refuse(
                key,
                format!("'{seconds}' must be a number of seconds, 0 to a year"),
            );
            0
        })
    }

    /// A number of seconds greater than 0, as milliseconds.
    pub(super) fn some_seconds(&mut self, key: &str, value: Option<f64>, default: f64) -> u64 {
        let millis = self.seconds(key, value, default);
        if millis == 0 && value.is_some_and(|seconds| seconds == 0.0) {
            self.refuse(key, "'0' must be greater than 0".to_owned());
        }
        millis
    }

    pub(super) fn count(
        &mut self,
        key: &str,
        value: Option<u64>,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let count = value.unwrap_or(default);
        if !range.contains(&count) {
            self.refuse(
                key,
                format!("'{count}' must be {} to {}", range.start(), range.end()),
            );
        }
        count
    }

    pub(super) fn at_least_one(&mut self, key: &str, value: Option<u32>) -> Option<u32> {
        if value == Some(0) {
            self.refuse(
                key,
                "'0' would let nothing in (use 1 or more, or leave it out)".to_owned(),
            );
        }
        value
    }

    pub(super) fn url(&mut self, key: &str, url: String, schemes: &[&str]) -> String {
        agents::check_url(url, schemes).unwrap_or_else(|message| {
            self.refuse(key, message);
            String::new()
        })
    }

    fn telemetry(&mut self, config: TelemetryConfig) -> Telemetry {
        let service_name = config
            .service_name
            .unwrap_or_else(|| "master-orchestrator".to_owned());
        if service_name.is_empty() {
            self.refuse("telemetry.service_name", "the name is empty".to_owned());
        }
        let endpoint = config
            .otlp_endpoint
            .unwrap_or_else(|| "http://localhost:4318/v1/traces".to_owned());
        let sample_ratio = config.sample_ratio.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&sample_ratio) {
            self.refuse(
                "telemetry.sample_ratio",
                format!("'{sample_ratio}' must be a number from 0 to 1"),
            );
        }
        Telemetry {
            enabled: config.enabled,
            sample_ratio,
            service_name,
            service_version: config
                .service_version
                .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
            otlp_endpoint: self.url("telemetry.otlp_endpoint", endpoint, &["http"]),
        }
    }

    fn cache(&mut self, config: CacheConfig) -> Cache {
        Cache {
            redis_url: config
                .redis_url
                .map(|url| self.url("cache.redis_url", url, &["redis"])),
            default_ttl_ms: self.some_seconds("cache.default_ttl", config.default_ttl, 3600.0),
            task_ttl_ms: self.some_seconds("cache.task_ttl", config.task_ttl, 86_400.0),
        }
    }

    fn intake(&mut self, config: &IntakeConfig) -> Intake {
        const MIB: u64 = 1024 * 1024;
        Intake {
            rate: RateLimits {
                per_minute: self.at_least_one("intake.requests_per_minute", config.requests_per_minute),
                per_hour: self.at_least_one("intake.requests_per_hour", config.requests_per_hour),
                burst: self
                    .at_least_one("intake.burst", config.burst)
                    .unwrap_or(DEFAULT_BURST),
            },
            runs_max: self.at_least_one("intake.max_concurrent_runs", config.max_concurrent_runs),
            on_limit: config.on_limit.unwrap_or(OnLimit::Queue),
            document_bytes_max: self.count(
                "intake.document_bytes_max",
                config.document_bytes_max,
                MIB,
                1024..=1024 * MIB,
            ) as usize,
            idempotency_ttl_ms: self.some_seconds(
                "intake.idempotency_ttl_s",
                config.idempotency_ttl_s,
                86_400.0,
            ),
        }
    }

    fn attempts(&mut self, config: &LimitsConfig) -> AttemptLimits {
        const MIB: u64 = 1024 * 1024;
        let default = AttemptLimits::default();
        AttemptLimits {
            log_bytes: self.count(
                "limits.agent_log_bytes_max",
                config.agent_log_bytes_max,
                default.log_bytes,
                4096..=1024 * MIB,
            ),
            output_bytes: self.count(
                "limits.agent_output_bytes_max",
                config.agent_output_bytes_max,
                default.output_bytes,
                1024..=256 * MIB,
            ),
            checkpoint_bytes: self.count(
                "limits.agent_checkpoint_bytes_max",
                config.agent_checkpoint_bytes_max,
                default.checkpoint_bytes,
                1024..=1024 * 1024 * MIB,
            ),
            grace_ms: self.seconds(
                "limits.agent_grace_s",
                config.agent_grace_s,
                default.grace_ms as f64 / 1_000.0,
            ),
            threads: self.count(
                "limits.agent_threads_max",
                config.agent_threads_max,
                default.threads as u64,
                1..=65_536,
            ) as usize,
        }
    }

    /// Bounds on documents: what is set must leave room for a document.
    fn limits(&mut self, config: LimitsConfig) -> LimitsConfig {
        const GIB: u64 = 1024 * 1024 * 1024;
        let bounds = [
            (
                "limits.local_document_bytes_max",
                config.local_document_bytes_max,
                1024..=4 * GIB - 1,
            ),
            ("limits.depth_max", config.depth_max, 8..=200),
            ("limits.nodes_max", config.nodes_max, 100..=GIB),
            ("limits.aliases_max", config.aliases_max, 0..=GIB),
            ("limits.text_bytes_max", config.text_bytes_max, 256..=GIB),
            ("limits.problems_max", config.problems_max, 1..=1_000_000),
        ];
        for (key, value, range) in bounds {
            self.count(key, value, *range.start(), range);
        }
        config
    }
}

/// Requests at once when `burst` is not set.
const DEFAULT_BURST: u32 = 100;
