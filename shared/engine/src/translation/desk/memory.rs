//! Remembered answers.

use orchestrator_core::time::Timestamp;
use orchestrator_translate::{Outcome, Translation};
use serde::{Deserialize, Serialize};

use crate::ports::Cache;

/// What is found under a key.
pub(super) enum Found {
    /// An answer.
    Fresh(Box<Translation>),
    /// An answer that is too old.
    Stale,
    /// No answer.
    Nothing,
    /// The store cannot be used.
    Unreachable,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    translation: Translation,
    until: Timestamp,
}

/// What is remembered.
pub(super) async fn look(cache: &impl Cache, key: &str, now: Timestamp) -> Found {
    match cache.get(key, now).await {
        Ok(None) => Found::Nothing,
        Ok(Some(value)) => match serde_json::from_slice::<Entry>(&value) {
            Ok(entry) if entry.until > now => Found::Fresh(Box::new(entry.translation)),
            Ok(_) => Found::Stale,
            // Of another version of the program.
            Err(_) => Found::Nothing,
        },
        Err(error) => {
            tracing::warn!(%error, "remembered translations cannot be read");
            Found::Unreachable
        }
    }
}

/// Remembers an answer that passed the guardrails. What did not pass is never remembered.
pub(super) async fn keep(
    cache: &impl Cache,
    key: &str,
    translation: &Translation,
    now: Timestamp,
    for_ms: u64,
) {
    if !matches!(translation.outcome, Outcome::Workflow { .. }) {
        return;
    }
    let until = now + for_ms;
    let entry = Entry {
        translation: translation.clone(),
        until,
    };
    let value = serde_json::to_vec(&entry).expect("an entry is plain data");
    // Twice as long as it is good for: so that what is too old can be told from what never was.
    if let Err(error) = cache.put(key, &value, now, until + for_ms).await {
        tracing::warn!(%error, "a translation cannot be remembered");
    }
}
