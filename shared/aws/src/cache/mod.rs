//! Results that can be made again: on the table, or on a Redis or Valkey server.

pub mod discovery;
mod redis;
mod table;

use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Cache;
use orchestrator_engine::ports::cache::VALUE_BYTES_MAX;

pub use self::redis::RedisCache;
pub use self::table::TableCache;

use crate::clients::Clients;
use crate::env::CachePlace;
use crate::fault::Fault;
use crate::table::Table;
use discovery::Discovery;

/// The cache of a deployment.
#[derive(Debug)]
pub enum AnyCache {
    /// On the table.
    Table(TableCache),
    /// On a server.
    Redis(Box<RedisCache>),
}

impl AnyCache {
    /// The cache at this place. Nothing is connected before it is used.
    pub fn new(place: &CachePlace, clients: &Clients, table: Table) -> AnyCache {
        match place {
            CachePlace::Table => AnyCache::Table(TableCache(table)),
            CachePlace::Url(url) => AnyCache::Redis(Box::new(RedisCache::at(url.clone()))),
            CachePlace::ElastiCache {
                name,
                is_serverless,
                user,
            } => {
                let discovery = Discovery::new(clients, name.clone(), *is_serverless, user.clone());
                AnyCache::Redis(Box::new(RedisCache::found_by(discovery)))
            }
        }
    }
}

impl Cache for AnyCache {
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, HostError> {
        match self {
            AnyCache::Table(cache) => cache.get(key, now).await,
            AnyCache::Redis(cache) => cache.get(key, now).await,
        }
    }

    async fn put(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), HostError> {
        match self {
            AnyCache::Table(cache) => cache.put(key, value, now, expires_at).await,
            AnyCache::Redis(cache) => cache.put(key, value, now, expires_at).await,
        }
    }

    async fn claim(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, HostError> {
        match self {
            AnyCache::Table(cache) => cache.claim(key, value, now, expires_at).await,
            AnyCache::Redis(cache) => cache.claim(key, value, now, expires_at).await,
        }
    }

    async fn remove(&self, key: &str) -> Result<(), HostError> {
        match self {
            AnyCache::Table(cache) => cache.remove(key).await,
            AnyCache::Redis(cache) => cache.remove(key).await,
        }
    }
}

const WHAT: &str = "the cache";

fn of_cache(fault: Fault) -> HostError {
    fault.in_part(WHAT)
}

fn fits(value: &[u8]) -> Result<(), HostError> {
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(HostError {
        what: WHAT,
        detail: format!(
            "a value of {} bytes is longer than {VALUE_BYTES_MAX} (store it elsewhere)",
            value.len()
        ),
    })
}
