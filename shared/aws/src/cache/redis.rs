//! Cached results on a Redis or Valkey server.

use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster::ClusterClientBuilder;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Cache;
use tokio::sync::Mutex;

use super::discovery::{Discovery, Endpoint};
use super::{WHAT, fits};

/// Begins every key, so that a server can be shared.
const PREFIX: &str = "orchestrator:";
/// Longest wait for a connection or an answer: a slow cache must not cost more than it saves.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Values on a server. Connects when it is first used, and again after a connection was lost.
pub struct RedisCache {
    place: Place,
    connection: Mutex<Option<Connection>>,
}

enum Place {
    Url(String),
    Found(Box<Discovery>),
}

#[derive(Clone)]
enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisCache")
    }
}

impl RedisCache {
    /// The server of a URL.
    pub fn at(url: String) -> RedisCache {
        RedisCache {
            place: Place::Url(url),
            connection: Mutex::default(),
        }
    }

    /// The server that is found.
    pub(super) fn found_by(discovery: Discovery) -> RedisCache {
        RedisCache {
            place: Place::Found(Box::new(discovery)),
            connection: Mutex::default(),
        }
    }

    async fn connected(&self) -> Result<Connection, HostError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        // Another part of the process may have installed one before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = match &self.place {
            Place::Url(url) => one(url).await,
            Place::Found(discovery) => match discovery.find().await? {
                Endpoint {
                    url,
                    is_cluster: true,
                } => cluster(url).await,
                Endpoint {
                    url,
                    is_cluster: false,
                } => one(&url).await,
            },
        };
        let made = made.map_err(of_redis)?;
        *connection = Some(made.clone());
        Ok(made)
    }

    async fn ask(&self, command: &Cmd) -> Result<Value, HostError> {
        let connection = self.connected().await?;
        let answer = match connection {
            Connection::One(mut connection) => connection.req_packed_command(command).await,
            Connection::Cluster(mut connection) => connection.req_packed_command(command).await,
        };
        if let Err(error) = &answer
            && (error.is_io_error() || error.is_connection_dropped() || error.is_timeout())
        {
            // With the next one comes a new token.
            *self.connection.lock().await = None;
        }
        answer.map_err(of_redis)
    }
}

async fn one(url: &str) -> Result<Connection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    let client = Client::open(url)?;
    let connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    Ok(Connection::One(connection))
}

async fn cluster(url: String) -> Result<Connection, RedisError> {
    let client = ClusterClientBuilder::new([url])
        .connection_timeout(TIMEOUT)
        .response_timeout(TIMEOUT)
        .build()?;
    Ok(Connection::Cluster(client.get_async_connection().await?))
}

fn of_redis(error: RedisError) -> HostError {
    HostError {
        what: WHAT,
        detail: error.to_string(),
    }
}

/// The value is stored behind the time it expires: the server's clock, and its rounding, are its own.
fn with_expiry(value: &[u8], expires_at: Timestamp) -> Vec<u8> {
    let mut stored = expires_at.0.to_be_bytes().to_vec();
    stored.extend_from_slice(value);
    stored
}

fn alive(stored: &[u8], now: Timestamp) -> Option<&[u8]> {
    let (expires_at, value) = stored.split_first_chunk()?;
    (i64::from_be_bytes(*expires_at) > now.0).then_some(value)
}

fn set(key: &str, value: &[u8], now: Timestamp, expires_at: Timestamp) -> Cmd {
    let life_ms = expires_at.millis_since(now).max(1);
    let mut command = ::redis::cmd("SET");
    command
        .arg(format!("{PREFIX}{key}"))
        .arg(with_expiry(value, expires_at))
        .arg("PX")
        .arg(life_ms);
    command
}

impl Cache for RedisCache {
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, HostError> {
        let answer = self
            .ask(::redis::cmd("GET").arg(format!("{PREFIX}{key}")))
            .await?;
        let stored: Option<Vec<u8>> = ::redis::from_redis_value(answer).map_err(|error| HostError {
            what: WHAT,
            detail: error.to_string(),
        })?;
        Ok(stored.and_then(|stored| alive(&stored, now).map(<[u8]>::to_vec)))
    }

    async fn put(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), HostError> {
        fits(value)?;
        self.ask(&set(key, value, now, expires_at)).await.map(drop)
    }

    /// A server drops what has expired by its own clock, so an entry may stand in the way of a claim for as long as the clocks differ.
    async fn claim(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, HostError> {
        fits(value)?;
        let answer = self.ask(set(key, value, now, expires_at).arg("NX")).await?;
        Ok(!matches!(answer, Value::Nil))
    }

    async fn remove(&self, key: &str) -> Result<(), HostError> {
        self.ask(::redis::cmd("DEL").arg(format!("{PREFIX}{key}")))
            .await
            .map(drop)
    }
}
