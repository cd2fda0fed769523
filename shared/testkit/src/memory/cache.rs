//! Results that can be made again.

use std::collections::BTreeMap;

use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Cache;
use orchestrator_engine::ports::cache::VALUE_BYTES_MAX;

use super::Shared;

/// Values by key, with when they expire.
#[derive(Debug, Clone, Default)]
pub struct MemoryCache(Shared<BTreeMap<String, (Vec<u8>, Timestamp)>>);

impl MemoryCache {
    /// Number of values, whether expired or not.
    pub fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// Puts other bytes in place of every value.
    pub fn overwrite(&self, bytes: &[u8]) {
        for (value, _) in self.0.lock().values_mut() {
            *value = bytes.to_vec();
        }
    }
}

impl Cache for MemoryCache {
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, HostError> {
        let entries = self.0.lock();
        let entry = entries.get(key).filter(|(_, expires_at)| *expires_at > now);
        Ok(entry.map(|(value, _)| value.clone()))
    }

    async fn put(
        &self,
        key: &str,
        value: &[u8],
        _now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), HostError> {
        fits(value)?;
        self.0.lock().insert(key.to_owned(), (value.to_vec(), expires_at));
        Ok(())
    }

    async fn claim(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, HostError> {
        fits(value)?;
        let mut entries = self.0.lock();
        if entries.get(key).is_some_and(|(_, expires_at)| *expires_at > now) {
            return Ok(false);
        }
        entries.insert(key.to_owned(), (value.to_vec(), expires_at));
        Ok(true)
    }

    async fn remove(&self, key: &str) -> Result<(), HostError> {
        self.0.lock().remove(key);
        Ok(())
    }
}

fn fits(value: &[u8]) -> Result<(), HostError> {
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(HostError {
        what: "the cache",
        detail: format!("a value of {} bytes is too long", value.len()),
    })
}
