//! Cached results on the table.

use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Cache;

use super::{fits, of_cache};
use crate::fault::Fault;
use crate::table::item::{Item, bytes, bytes_of, number, seconds, time_of};
use crate::table::keys::{Key, TTL};
use crate::table::{Condition, Table, Written};

const VALUE: &str = "value";
const EXPIRES_AT: &str = "expires_at";

/// Values on the table. DynamoDB deletes them when they have expired, sooner or later.
#[derive(Debug, Clone)]
pub struct TableCache(pub Table);

impl TableCache {
    async fn read(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, Fault> {
        let Some(item) = self.0.get(&Key::cache(key)).await? else {
            return Ok(None);
        };
        let is_alive = time_of(&item, EXPIRES_AT)?.is_some_and(|expires_at| expires_at > now);
        is_alive
            .then(|| bytes_of(&item, VALUE).map(<[u8]>::to_vec))
            .transpose()
    }
}

fn entry(key: &str, value: &[u8], expires_at: Timestamp) -> Item {
    let mut item = Key::cache(key).to_item();
    item.insert(VALUE.to_owned(), bytes(value));
    item.insert(EXPIRES_AT.to_owned(), number(expires_at.0));
    item.insert(TTL.to_owned(), seconds(expires_at));
    item
}

impl Cache for TableCache {
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, HostError> {
        self.read(key, now).await.map_err(of_cache)
    }

    async fn put(
        &self,
        key: &str,
        value: &[u8],
        _now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), HostError> {
        fits(value)?;
        let item = entry(key, value, expires_at);
        self.0.put(item, 0, None).await.map(drop).map_err(of_cache)
    }

    async fn claim(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, HostError> {
        fits(value)?;
        let is_free = Condition::new(
            &format!("attribute_not_exists({EXPIRES_AT}) OR {EXPIRES_AT} <= :now"),
            [(":now", number(now.0))],
        );
        let written = self.0.put(entry(key, value, expires_at), 0, Some(is_free)).await;
        match written.map_err(of_cache)? {
            Written::Done => Ok(true),
            // The SDK asks again when an answer was lost: then it is refused by its own claim.
            Written::Refused(Some(item)) => Ok(bytes_of(&item, VALUE).is_ok_and(|stored| stored == value)
                && time_of(&item, EXPIRES_AT).is_ok_and(|stored| stored == Some(expires_at))),
            Written::Refused(None) => Ok(false),
        }
    }

    async fn remove(&self, key: &str) -> Result<(), HostError> {
        self.0.delete(&Key::cache(key), None).await.map_err(of_cache)
    }
}
