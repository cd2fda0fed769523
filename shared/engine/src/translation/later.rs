//! Hosts whose requests cannot wait for a model: the same text posted again finds the translation that is under way, or has just ended.

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;

use super::{Record, Translated};
use crate::error::HostError;
use crate::ports::Cache;

/// How long a translation may be under way before its text is taken up anew: its message may be lost.
const UNDER_WAY_MS: u64 = 15 * 60_000;
/// How long what a translation came to is the answer to the same text, even if it is not remembered: a refusal, an error, an answer of
/// the offline translator in place of a model.
pub const ENDED_MS: u64 = 60_000;

/// What can be said of a text within a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Soon {
    /// What became of it.
    Now(Box<Translated>),
    /// It has to be translated, which takes longer.
    Later,
    /// It is being translated under this token.
    Under(RunId),
}

/// What is known of the same text.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// Nothing: it has to be translated, under the token that was given.
    Nothing,
    /// It is being translated under this token.
    Under(RunId),
    /// It has just been translated.
    Ended(Box<Record>),
}

/// Looks whether the same text is being translated; if it is not, whoever asks next finds that it is, under `token`. `memo` is where
/// its answer would be remembered, and binds it to everything the answer depends on. Records are in the same store.
///
/// # Errors
/// When the store cannot be reached.
pub async fn look(
    store: &impl Cache,
    memo: &str,
    token: RunId,
    is_fresh: bool,
    now: Timestamp,
) -> Result<Known, HostError> {
    let key = format!("asked:{memo}");
    let (value, until) = (token.to_string().into_bytes(), now + UNDER_WAY_MS);
    if is_fresh {
        store.put(&key, &value, now, until).await?;
        return Ok(Known::Nothing);
    }
    if store.claim(&key, &value, now, until).await? {
        return Ok(Known::Nothing);
    }
    if let Some(record) = pointed_at(store, &key, now).await? {
        let token = record.job.token;
        match record.finished_at {
            None if now.millis_since(record.asked_at) < UNDER_WAY_MS => return Ok(Known::Under(token)),
            Some(at) if now.millis_since(at) < ENDED_MS => return Ok(Known::Ended(Box::new(record))),
            _ => {}
        }
    }
    store.put(&key, &value, now, until).await?;
    Ok(Known::Nothing)
}

async fn pointed_at(store: &impl Cache, key: &str, now: Timestamp) -> Result<Option<Record>, HostError> {
    let token = store.get(key, now).await?;
    let token = token.and_then(|token| String::from_utf8(token).ok()?.parse::<RunId>().ok());
    let Some(token) = token else {
        return Ok(None);
    };
    let record = store.get(&Record::key(token), now).await?;
    Ok(record.and_then(|record| serde_json::from_slice(&record).ok()))
}
