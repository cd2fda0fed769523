//! Everything put together: the engine's ports from the environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_engine::engine::{Engine, Options};
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Ports;
use orchestrator_engine::ports::compute::AgentVersion;
use orchestrator_engine::settings::{self, Agent, Settings};
use orchestrator_engine::token::TokenKey;
use orchestrator_engine::trace::Tracer;

use crate::cache::{AnyCache, TableCache};
use crate::clients::Clients;
use crate::clock::{SystemClock, random_bytes};
use crate::compute::AgentCompute;
use crate::compute::batch::Jobs;
use crate::env::{CachePlace, Config};
use crate::events::Events;
use crate::fault::{Fault, Kind};
use crate::figures::Figures;
use crate::idempotency::TableIdempotency;
use crate::messages::Queues;
use crate::messages::send::Sender;
use crate::payloads::Payloads;
use crate::pools::TablePools;
use crate::rate_limits::TableRateLimits;
use crate::sessions::Sessions;
use crate::store::Store;
use crate::table::item::{bytes, bytes_of};
use crate::table::keys::Key;
use crate::table::{Condition, Table, Written};

/// Most tasks decided in one append: keeps its item, and the messages it makes due, within a few calls.
const DECISIONS_MAX: usize = 100;

/// The ports of the engine on AWS, and what else functions need. Made once per process.
#[derive(Debug)]
pub struct AwsHost {
    /// The clients, and the meter that counts what they do.
    pub clients: Clients,
    /// Journals, the index of runs, the index of runs to be looked at.
    pub store: Store,
    /// Times and counts of all functions together.
    pub figures: Figures,
    /// Messages between functions.
    pub queues: Queues,
    /// Pools, and the audit of their leases.
    pub pools: TablePools,
    /// Agents.
    pub compute: AgentCompute,
    /// The event bus.
    pub events: Events,
    /// `Idempotency-Key`s.
    pub idempotency: TableIdempotency,
    /// Requests per client.
    pub rate_limits: TableRateLimits,
    /// Results that can be made again.
    pub cache: AnyCache,
    /// Translations and plans: on the table, wherever results are cached.
    pub kept: TableCache,
    /// Runs kept while the process is warm.
    pub sessions: Sessions,
    /// Objects too large for items and messages.
    pub payloads: Payloads,
    /// Sends to any queue.
    pub sender: Sender,
    clock: SystemClock,
}

impl AwsHost {
    /// The adapters of a configuration. Nothing is sent before they are used.
    pub fn new(config: &Config, settings: &Settings, clients: Clients) -> AwsHost {
        let table = Table::new(
            clients.dynamodb.clone(),
            config.table.clone(),
            clients.meter.clone(),
        );
        let payloads = Payloads::new(&clients.objects, config.bucket.as_deref());
        let sender = Sender::new(clients.sqs.clone(), clients.meter.clone());
        let queues = Queues::new(
            sender.clone(),
            payloads.clone(),
            config.decisions_queue.clone(),
            config.task_events_queue.clone(),
        );
        let compute = AgentCompute::new(
            config.agents.clone(),
            versions(settings),
            sender.clone(),
            Jobs::new(clients.batch.clone()),
            payloads.clone(),
            queues.clone(),
        );
        let figures = Figures::new(table.clone());
        let events = Events::new(
            clients.eventbridge.clone(),
            clients.meter.clone(),
            config.event_bus.clone(),
            config.events,
            figures.clone(),
        );
        AwsHost {
            store: Store::new(table.clone(), payloads.clone(), figures.clone()),
            figures,
            pools: TablePools::new(
                table.clone(),
                settings.policy.capacities().clone(),
                settings.intake.runs_max.unwrap_or(u32::MAX),
            ),
            idempotency: TableIdempotency(table.clone()),
            rate_limits: TableRateLimits::new(table.clone(), settings.intake.rate),
            kept: TableCache(table.clone()),
            cache: AnyCache::new(&cache_place(config, &settings.cache), &clients, table),
            sessions: Sessions::default(),
            queues,
            compute,
            events,
            payloads,
            sender,
            clients,
            clock: SystemClock,
        }
    }

    /// Has X-Ray told where its header is understood.
    pub fn propagate(&self, tracer: Option<&Tracer>) {
        if tracer.is_some_and(|tracer| tracer.propagators().xray) {
            self.sender.tell_xray();
        }
    }

    /// The engine of this process. `decides_in_turn`: whether a function that makes tasks ready asks the policy itself, in
    /// the same append, instead of sending a message to the decision function.
    ///
    /// # Errors
    /// When the secret that signs task tokens cannot be had.
    pub async fn into_engine(
        self,
        config: &Config,
        settings: Settings,
        decides_in_turn: bool,
    ) -> Result<Engine<AwsHost>, HostError> {
        let secret = match &config.token_secret {
            Some(secret) => secret.clone().into_bytes(),
            None => self
                .token_secret(&config.table)
                .await
                .map_err(|fault| fault.in_part("the token secret"))?,
        };
        let options = Options {
            decides_in_turn,
            decisions_max: DECISIONS_MAX,
            ageing_ms: settings.ageing_ms,
            sla: settings.sla.defaults,
            results_kept_ms: settings.cache.task_ttl_ms,
        };
        Ok(Engine::new(
            self,
            Arc::new(settings.policy),
            TokenKey::new(secret),
            options,
        ))
    }

    /// The secret kept in the table; the first process that asks draws it.
    async fn token_secret(&self, table: &str) -> Result<Vec<u8>, Fault> {
        const SECRET: &str = "secret";
        let table = Table::new(
            self.clients.dynamodb.clone(),
            table.to_owned(),
            self.clients.meter.clone(),
        );
        let key = Key::token_secret();
        if let Some(item) = table.get(&key).await? {
            return bytes_of(&item, SECRET).map(<[u8]>::to_vec);
        }
        let drawn: [u8; 32] = random_bytes();
        let mut item = key.to_item();
        item.insert(SECRET.to_owned(), bytes(drawn));
        match table.put(item, 0, Some(Condition::is_new())).await? {
            Written::Done => Ok(drawn.to_vec()),
            Written::Refused(Some(item)) => bytes_of(&item, SECRET).map(<[u8]>::to_vec),
            Written::Refused(None) => Err(Fault {
                kind: Kind::Transient,
                detail: "another process is drawing the secret that signs task tokens".to_owned(),
            }),
        }
    }
}

/// Where results are cached: the environment, which comes from the stack, outweighs the configuration.
fn cache_place(config: &Config, settings: &settings::Cache) -> CachePlace {
    let configured = || settings.redis_url.clone().map(CachePlace::Url);
    config
        .cache
        .clone()
        .or_else(configured)
        .unwrap_or(CachePlace::Table)
}

/// What the configuration says about the agents, where it says something.
fn versions(settings: &Settings) -> BTreeMap<String, AgentVersion> {
    let version = |(name, agent): (&String, &Agent)| (name.clone(), settings::version(name, agent));
    settings.agents.iter().map(version).collect()
}

/// Reads the configuration that [`crate::env::CONFIG`] names.
///
/// # Errors
/// When it cannot be read, or has problems: all of them, with their lines.
pub async fn load_settings(config: &Config, clients: &Clients) -> Result<Settings, HostError> {
    let wrong = |detail: String| HostError {
        what: "the configuration",
        detail,
    };
    let text = match config.config.as_deref() {
        None => String::new(),
        Some(place) => match place
            .strip_prefix("s3://")
            .and_then(|place| place.split_once('/'))
        {
            Some((bucket, key)) => {
                let objects = Payloads::new(&clients.objects, Some(bucket));
                let bytes = objects.get(key).await.map_err(|fault| wrong(fault.detail))?;
                // A stack without a configuration file has the defaults.
                String::from_utf8(bytes.unwrap_or_default())
                    .map_err(|_| wrong(format!("'{place}' is not text")))?
            }
            None => std::fs::read_to_string(place).map_err(|error| wrong(format!("'{place}': {error}")))?,
        },
    };
    settings::load(&text).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        wrong(lines.join("; "))
    })
}

impl Ports for AwsHost {
    type Journal = Store;
    type RunIndex = Store;
    type Messages = Queues;
    type Pools = TablePools;
    type Compute = AgentCompute;
    type EventBus = Events;
    type Clock = SystemClock;
    type SessionCache = Sessions;
    type Cache = AnyCache;

    fn journal(&self) -> &Store {
        &self.store
    }

    fn run_index(&self) -> &Store {
        &self.store
    }

    fn messages(&self) -> &Queues {
        &self.queues
    }

    fn pools(&self) -> &TablePools {
        &self.pools
    }

    fn compute(&self) -> &AgentCompute {
        &self.compute
    }

    fn event_bus(&self) -> &Events {
        &self.events
    }

    fn clock(&self) -> &SystemClock {
        &self.clock
    }

    fn session_cache(&self) -> &Sessions {
        &self.sessions
    }

    fn cache(&self) -> &AnyCache {
        &self.cache
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env;

    #[test]
    fn results_are_where_the_stack_says_or_the_configuration_or_in_the_table() {
        let place = |variable: &str, file: &str| {
            let config = Config::from(|name| match name {
                env::TABLE => Some("t".to_owned()),
                env::DECISIONS_QUEUE | env::TASK_EVENTS_QUEUE => Some("q".to_owned()),
                env::CACHE => Some(variable.to_owned()),
                _ => None,
            });
            let settings = settings::load(file).expect("a configuration");
            cache_place(&config.expect("an environment"), &settings.cache)
        };
        let file = "master_orchestrator: {cache: {redis_url: \"rediss://file\"}}";
        assert_eq!(place("dynamodb", file), CachePlace::Table);
        assert_eq!(place("", file), CachePlace::Url("rediss://file".to_owned()));
        assert_eq!(place("", ""), CachePlace::Table);
    }
}
