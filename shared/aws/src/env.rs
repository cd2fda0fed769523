//! Every environment variable of the functions: names, and the checked configuration they make. SAM sets them all.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// Name of the table.
pub const TABLE: &str = "ORCHESTRATOR_TABLE";
/// URL of the standard queue `decisions`.
pub const DECISIONS_QUEUE: &str = "ORCHESTRATOR_DECISIONS_QUEUE";
/// URL of the FIFO queue `task-events`.
pub const TASK_EVENTS_QUEUE: &str = "ORCHESTRATOR_TASK_EVENTS_QUEUE";
/// URL of the queue by which the sweep calls itself between two ticks of the schedule; only the sweep needs it.
pub const SWEEPS_QUEUE: &str = "ORCHESTRATOR_SWEEPS_QUEUE";
/// URL of the standard queue `translations`; needed with a model, by `intake` and by `translator`.
pub const TRANSLATIONS_QUEUE: &str = "ORCHESTRATOR_TRANSLATIONS_QUEUE";
/// Beginning of the URLs of agents' queues; the agent's name follows.
pub const AGENT_QUEUES: &str = "ORCHESTRATOR_AGENT_QUEUES";
/// Job queues and job definitions by resource class, as JSON: see [`BatchTargets`].
pub const BATCH: &str = "ORCHESTRATOR_BATCH";
/// Agents whose tasks go to AWS Batch in every resource class, separated by commas. Those of others do in class `gpu`.
pub const BATCH_AGENTS: &str = "ORCHESTRATOR_BATCH_AGENTS";
/// Bucket for what is too large for items and messages. Without it, such things are refused.
pub const BUCKET: &str = "ORCHESTRATOR_BUCKET";
/// Name or ARN of the event bus. Without it, nothing is published.
pub const EVENT_BUS: &str = "ORCHESTRATOR_EVENT_BUS";
/// Which events are published: `run` (the default), `task` (in addition the ends of tasks) or `all`.
pub const EVENTS: &str = "ORCHESTRATOR_EVENTS";
/// `true`: the function that makes tasks ready decides about them itself, in the same append; the function `decision` is
/// left with what waited. `false` (the default): it decides about all of them.
pub const DECIDES_IN_TURN: &str = "ORCHESTRATOR_DECIDES_IN_TURN";
/// Secret that signs task tokens, at least 16 characters. Without it, one is drawn and kept in the table.
pub const TOKEN_SECRET: &str = "ORCHESTRATOR_TOKEN_SECRET";
/// The configuration: a path, or `s3://BUCKET/KEY`. Without it, the defaults hold.
pub const CONFIG: &str = "ORCHESTRATOR_CONFIG";
/// Where results are cached: `dynamodb` (the table), a `redis://` or `rediss://` URL, the name of an ElastiCache Serverless
/// cache, or `replication-group:NAME`. Without it, where the configuration says, else in the table.
pub const CACHE: &str = "ORCHESTRATOR_CACHE";
/// User for IAM authentication at an ElastiCache cache. Without it, none is used.
pub const CACHE_USER: &str = "ORCHESTRATOR_CACHE_USER";

/// All of them.
pub const ALL: [&str; 16] = [
    TABLE,
    DECISIONS_QUEUE,
    TASK_EVENTS_QUEUE,
    SWEEPS_QUEUE,
    TRANSLATIONS_QUEUE,
    AGENT_QUEUES,
    BATCH,
    BATCH_AGENTS,
    BUCKET,
    EVENT_BUS,
    EVENTS,
    DECIDES_IN_TURN,
    TOKEN_SECRET,
    CONFIG,
    CACHE,
    CACHE_USER,
];

/// What the environment says.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is described at the constant of its name")]
pub struct Config {
    pub table: String,
    pub decisions_queue: String,
    pub task_events_queue: String,
    pub sweeps_queue: Option<String>,
    pub translations_queue: Option<String>,
    pub agents: Agents,
    pub bucket: Option<String>,
    pub event_bus: Option<String>,
    pub events: PublishedEvents,
    pub decides_in_turn: bool,
    pub token_secret: Option<String>,
    pub config: Option<String>,
    pub cache: Option<CachePlace>,
}

/// Where agents are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agents {
    /// Beginning of the URLs of agents' queues.
    pub queues: Option<String>,
    /// Where jobs go.
    pub batch: BatchTargets,
    /// Agents whose tasks are jobs in every resource class.
    pub in_batch: BTreeSet<String>,
}

/// Where jobs go, by `CLASS` or `AGENT:CLASS`:
///
/// ```json
/// {"cpu": {"queue": "cpu", "definition": "agents-cpu"},
///  "gpu": {"queue": "gpu", "definition": "agents-gpu"},
///  "trainer:gpu": {"queue": "gpu-large", "definition": "trainer"}}
/// ```
pub type BatchTargets = BTreeMap<String, BatchTarget>;

/// Which events are published. Each costs a dollar per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PublishedEvents {
    /// Those of runs as a whole.
    #[default]
    Run,
    /// In addition the ends of tasks and of attempts.
    Task,
    /// All.
    All,
}

/// Where jobs of one resource class go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchTarget {
    /// Name or ARN of the job queue.
    pub queue: String,
    /// Name or ARN of the job definition.
    pub definition: String,
}

/// Where results are cached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CachePlace {
    /// In the table.
    Table,
    /// At a server of this URL.
    Url(String),
    /// In an ElastiCache cache, found by name.
    ElastiCache {
        /// Its name.
        name: String,
        /// Whether it is a serverless cache, otherwise a replication group.
        is_serverless: bool,
        /// The user for IAM authentication.
        user: Option<String>,
    },
}

/// What is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name}: {detail}")]
pub struct EnvError {
    /// The variable.
    pub name: &'static str,
    /// What is wrong, and what to do.
    pub detail: String,
}

impl Config {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// With the first variable that is missing or makes no sense.
    pub fn from_env() -> Result<Config, EnvError> {
        #[expect(clippy::disallowed_methods, reason = "this is where the functions read it")]
        Config::from(|name| std::env::var(name).ok())
    }

    /// Reads variables from `get`.
    ///
    /// # Errors
    /// With the first variable that is missing or makes no sense.
    pub fn from(get: impl Fn(&str) -> Option<String>) -> Result<Config, EnvError> {
        let optional = |name: &str| get(name).filter(|value| !value.is_empty());
        let needed = |name: &'static str| {
            optional(name).ok_or_else(|| EnvError {
                name,
                detail: "it is not set (infra/template.yaml sets it)".to_owned(),
            })
        };
        let token_secret = optional(TOKEN_SECRET);
        if token_secret.as_ref().is_some_and(|secret| secret.len() < 16) {
            let detail = "it is shorter than 16 characters (draw a longer secret)".to_owned();
            return Err(EnvError {
                name: TOKEN_SECRET,
                detail,
            });
        }
        let names = optional(BATCH_AGENTS).unwrap_or_default();
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        Ok(Config {
            table: needed(TABLE)?,
            decisions_queue: needed(DECISIONS_QUEUE)?,
            task_events_queue: needed(TASK_EVENTS_QUEUE)?,
            sweeps_queue: optional(SWEEPS_QUEUE),
            translations_queue: optional(TRANSLATIONS_QUEUE),
            agents: Agents {
                queues: optional(AGENT_QUEUES),
                batch: batch(optional(BATCH))?,
                in_batch: names.map(str::to_owned).collect(),
            },
            bucket: optional(BUCKET),
            event_bus: optional(EVENT_BUS),
            events: events(optional(EVENTS))?,
            decides_in_turn: flag(DECIDES_IN_TURN, optional(DECIDES_IN_TURN))?,
            token_secret,
            config: optional(CONFIG),
            cache: optional(CACHE).map(|place| cache(place, optional(CACHE_USER))),
        })
    }
}

fn events(value: Option<String>) -> Result<PublishedEvents, EnvError> {
    match value.as_deref() {
        None => Ok(PublishedEvents::default()),
        Some("run") => Ok(PublishedEvents::Run),
        Some("task") => Ok(PublishedEvents::Task),
        Some("all") => Ok(PublishedEvents::All),
        Some(other) => Err(EnvError {
            name: EVENTS,
            detail: format!("'{other}' is none of run, task and all"),
        }),
    }
}

fn flag(name: &'static str, value: Option<String>) -> Result<bool, EnvError> {
    match value.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(EnvError {
            name,
            detail: format!("'{other}' is neither true nor false"),
        }),
    }
}

fn batch(value: Option<String>) -> Result<BatchTargets, EnvError> {
    match value {
        None => Ok(BatchTargets::new()),
        Some(text) => serde_json::from_str(&text).map_err(|error| EnvError {
            name: BATCH,
            detail: format!(
                "{error} (write it as in {{\"gpu\": {{\"queue\": \"gpu\", \"definition\": \"agents-gpu\"}}}})"
            ),
        }),
    }
}

fn cache(value: String, user: Option<String>) -> CachePlace {
    if value == "dynamodb" {
        return CachePlace::Table;
    }
    if value.starts_with("redis://") || value.starts_with("rediss://") {
        return CachePlace::Url(value);
    }
    match value.strip_prefix("replication-group:") {
        Some(name) => CachePlace::ElastiCache {
            name: name.to_owned(),
            is_serverless: false,
            user,
        },
        None => CachePlace::ElastiCache {
            name: value,
            is_serverless: true,
            user,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: [(&str, &str); 3] = [
        (TABLE, "runs"),
        (DECISIONS_QUEUE, "https://d"),
        (TASK_EVENTS_QUEUE, "https://t.fifo"),
    ];

    fn read(changes: &[(&str, &str)]) -> Result<Config, EnvError> {
        let variables: BTreeMap<&str, &str> = SMALLEST.iter().chain(changes).copied().collect();
        Config::from(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn what_is_not_set_has_a_default() {
        let config = read(&[(EVENT_BUS, "")]).unwrap();
        assert_eq!((config.bucket, config.event_bus), (None, None));
        assert_eq!((config.events, config.cache), (PublishedEvents::Run, None));
        assert!(!config.decides_in_turn);
        assert_eq!((config.agents, config.token_secret), (Agents::default(), None));
    }

    #[test]
    fn agents_and_caches_are_read() {
        let config = read(&[
            (BATCH, r#"{"gpu": {"queue": "g", "definition": "agents"}}"#),
            (BATCH_AGENTS, "trainer, scorer,"),
            (CACHE, "results"),
            (CACHE_USER, "functions"),
        ])
        .unwrap();
        assert_eq!(config.agents.batch["gpu"].definition, "agents");
        assert_eq!(
            config.agents.in_batch,
            ["trainer", "scorer"].map(str::to_owned).into()
        );
        let place = |value: &str| read(&[(CACHE, value)]).unwrap().cache.unwrap();
        assert!(matches!(
            config.cache,
            Some(CachePlace::ElastiCache {
                is_serverless: true,
                user: Some(_),
                ..
            })
        ));
        assert!(matches!(
            place("replication-group:r"),
            CachePlace::ElastiCache {
                is_serverless: false,
                ..
            }
        ));
        assert_eq!(
            place("rediss://host"),
            CachePlace::Url("rediss://host".to_owned())
        );
        assert_eq!(place("dynamodb"), CachePlace::Table);
    }

    #[test]
    fn a_wrong_value_is_named() {
        let table = [
            (TABLE, "", "not set"),
            (TOKEN_SECRET, "short", "16 characters"),
            (EVENTS, "some", "'some'"),
            (DECIDES_IN_TURN, "yes", "'yes'"),
            (BATCH, "{", "agents-gpu"),
        ];
        for (name, value, says) in table {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(says), "{error}");
        }
    }
}
