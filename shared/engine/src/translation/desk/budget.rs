//! What clients may use up of models: tokens per minute, tokens and dollars per day.
//!
//! Sums are in the cache, so all processes that share it count together, and a restart forgets nothing. A sum is read, added to and
//! written under a short claim. What cannot be written is counted in this process until it can be.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use orchestrator_core::time::Timestamp;
use orchestrator_translate::{TranslatorError, Usage};
use serde::{Deserialize, Serialize};

use crate::ports::{Cache, Clock, Pause};
use crate::settings::Budget as Limits;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// How long a sum may be claimed for adding to it: a read and a write.
const CLAIM_MS: u64 = 2_000;
/// Times a sum is tried to be claimed; then it is written without, and what another process adds in that moment may be lost.
const TRIES_MAX: u32 = 50;
/// Between two of them, milliseconds.
const PAUSE_MS: u64 = 50;
/// Sums that are counted in this process because they cannot be written.
const UNWRITTEN_MAX: usize = 10_000;

/// Counts what clients use up.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    /// By key.
    unwritten: Mutex<HashMap<String, Sum>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Sum {
    tokens: u64,
    cost_usd: f64,
}

impl Sum {
    fn and(self, other: Sum) -> Sum {
        Sum {
            tokens: self.tokens + other.tokens,
            cost_usd: self.cost_usd + other.cost_usd,
        }
    }
}

/// A minute or a day, counted from 1970.
#[derive(Clone, Copy)]
struct Period {
    letter: char,
    length_ms: i64,
}

const MINUTE: Period = Period {
    letter: 'm',
    length_ms: MINUTE_MS,
};
const DAY: Period = Period {
    letter: 'd',
    length_ms: DAY_MS,
};

impl Period {
    fn key(self, client: &str, now: Timestamp) -> String {
        // Names of clients may have any letters; keys have ASCII ones.
        let client = hex::encode(client);
        let Period { letter, length_ms } = self;
        format!("budget:{letter}{}:{client}", now.0.div_euclid(length_ms))
    }

    fn rest_ms(self, now: Timestamp) -> i64 {
        self.length_ms - now.0.rem_euclid(self.length_ms)
    }
}

impl Budget {
    pub fn new(limits: Limits) -> Budget {
        Budget {
            limits,
            unwritten: Mutex::default(),
        }
    }

    /// Lets a client call a model, or tells when it may again. How many tokens a call takes is known afterwards, so calls that are under
    /// way when a limit is reached go beyond it.
    pub async fn admit(
        &self,
        cache: &impl Cache,
        client: &str,
        now: Timestamp,
    ) -> Result<(), TranslatorError> {
        let limits = &self.limits;
        if let Some(limit) = limits.tokens_per_minute {
            let used = self.sum(cache, &MINUTE.key(client, now), now).await.tokens;
            if used >= u64::from(limit) {
                let used = format!("{used} of {limit} tokens of this minute");
                return Err(over(client, &used, MINUTE.rest_ms(now)));
            }
        }
        if limits.tokens_per_day.is_none() && limits.usd_per_day.is_none() {
            return Ok(());
        }
        let day = self.sum(cache, &DAY.key(client, now), now).await;
        let used = match (limits.tokens_per_day, limits.usd_per_day) {
            (Some(limit), _) if day.tokens >= limit => {
                format!("{} of {limit} tokens of this day", day.tokens)
            }
            (_, Some(limit)) if day.cost_usd >= limit => {
                format!("{:.4} of {limit} US dollars of this day", day.cost_usd)
            }
            _ => return Ok(()),
        };
        Err(over(client, &used, DAY.rest_ms(now)))
    }

    /// Notes what a client has used up. The day is always counted, so that a limit that is set later knows of it.
    pub async fn spend<K: Clock + Pause>(&self, cache: &impl Cache, clock: &K, client: &str, usage: Usage) {
        let spent = Sum {
            tokens: usage.input_tokens + usage.output_tokens,
            cost_usd: usage.cost_usd,
        };
        if spent == Sum::default() {
            return;
        }
        let minute = self.limits.tokens_per_minute.map(|_| MINUTE);
        for period in minute.into_iter().chain([DAY]) {
            let key = period.key(client, clock.now());
            self.with(|unwritten| {
                if unwritten.len() < UNWRITTEN_MAX || unwritten.contains_key(&key) {
                    let sum = unwritten.entry(key.clone()).or_default();
                    *sum = sum.and(spent);
                }
            });
            let until = clock.now() + 2 * period.length_ms.unsigned_abs();
            self.write(cache, clock, &key, until).await;
        }
    }

    /// Adds what is unwritten to a sum in the cache.
    async fn write<K: Clock + Pause>(&self, cache: &impl Cache, clock: &K, key: &str, until: Timestamp) {
        let lock = format!("adding:{key}");
        let is_claimed = claim(cache, clock, &lock).await;
        let now = clock.now();
        let added = self.with(|unwritten| unwritten.remove(key)).unwrap_or_default();
        let written = match cache.get(key, now).await {
            Ok(kept) => {
                let value = serde_json::to_vec(&read(kept).and(added)).expect("numbers are plain data");
                cache.put(key, &value, now, until).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "what a client has used up cannot be noted");
            self.with(|unwritten| {
                let sum = unwritten.entry(key.to_owned()).or_default();
                *sum = sum.and(added);
            });
        }
        if is_claimed && let Err(error) = cache.remove(&lock).await {
            tracing::debug!(%error, "a claim is left to expire");
        }
    }

    async fn sum(&self, cache: &impl Cache, key: &str, now: Timestamp) -> Sum {
        let kept = cache.get(key, now).await;
        let kept =
            kept.inspect_err(|error| tracing::warn!(%error, "what a client has used up cannot be read"));
        let unwritten = self.with(|unwritten| unwritten.get(key).copied());
        read(kept.ok().flatten()).and(unwritten.unwrap_or_default())
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<String, Sum>) -> T) -> T {
        change(&mut self.unwritten.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Waits until a sum is free, a bounded time; tells whether it is claimed.
async fn claim<K: Clock + Pause>(cache: &impl Cache, clock: &K, lock: &str) -> bool {
    let own = clock.random_bits().to_be_bytes();
    for _ in 0..TRIES_MAX {
        let now = clock.now();
        match cache.claim(lock, &own, now, now + CLAIM_MS).await {
            Ok(true) => return true,
            Ok(false) => clock.pause(PAUSE_MS).await,
            Err(_) => return false,
        }
    }
    false
}

fn read(kept: Option<Vec<u8>>) -> Sum {
    kept.and_then(|value| serde_json::from_slice(&value).ok())
        .unwrap_or_default()
}

fn over(client: &str, used: &str, rest_ms: i64) -> TranslatorError {
    let retry_after = u64::try_from(rest_ms / 1_000 + 1).unwrap_or(1);
    TranslatorError::OverBudget {
        detail: format!(
            "client '{client}' has used up {used} (try again in {retry_after} s, or write the workflow yourself)"
        ),
        retry_after,
    }
}
