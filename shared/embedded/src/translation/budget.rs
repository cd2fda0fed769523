//! What clients may use up of models: tokens per minute, tokens and dollars per day.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::Cache as _;
use orchestrator_engine::settings::Budget as Limits;
use orchestrator_translate::{TranslatorError, Usage};
use serde::{Deserialize, Serialize};

use crate::store::LossyStore;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// Clients whose minute is kept in memory.
const CLIENTS_MAX: usize = 10_000;

/// Counts what clients use up. The day's sum outlives the process, the minute's does not.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    store: LossyStore,
    minutes: Mutex<HashMap<String, (i64, u64)>>,
    /// By key; loaded from the store when a client first asks on a day.
    days: Mutex<HashMap<String, Day>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Day {
    tokens: u64,
    cost_usd: f64,
}

impl Budget {
    pub fn new(limits: Limits, store: LossyStore) -> Budget {
        Budget {
            limits,
            store,
            minutes: Mutex::default(),
            days: Mutex::default(),
        }
    }

    /// Lets a client call a model, or tells when it may again. How many tokens a call takes is known afterwards, so the last call
    /// before a limit may go beyond it.
    pub async fn admit(&self, client: &str, now: Timestamp) -> Result<(), TranslatorError> {
        if let Some(limit) = self.limits.tokens_per_minute {
            let used = self.minute(client, now, 0);
            if used >= u64::from(limit) {
                let rest = MINUTE_MS - now.0.rem_euclid(MINUTE_MS);
                return Err(over(
                    client,
                    &format!("{used} of {limit} tokens of this minute"),
                    rest,
                ));
            }
        }
        if self.limits.tokens_per_day.is_none() && self.limits.usd_per_day.is_none() {
            return Ok(());
        }
        let day = self.day(client, now).await;
        let rest = DAY_MS - now.0.rem_euclid(DAY_MS);
        match (self.limits.tokens_per_day, self.limits.usd_per_day) {
            (Some(limit), _) if day.tokens >= limit => Err(over(
                client,
                &format!("{} of {limit} tokens of this day", day.tokens),
                rest,
            )),
            (_, Some(limit)) if day.cost_usd >= limit => Err(over(
                client,
                &format!("{:.4} of {limit} US dollars of this day", day.cost_usd),
                rest,
            )),
            _ => Ok(()),
        }
    }

    /// Notes what a client has used up.
    pub async fn spend(&self, client: &str, usage: Usage, now: Timestamp) {
        let tokens = usage.input_tokens + usage.output_tokens;
        if tokens == 0 && usage.cost_usd == 0.0 {
            return;
        }
        self.minute(client, now, tokens);
        self.day(client, now).await;
        let key = key(client, now);
        let day = {
            let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
            let day = days.entry(key.clone()).or_default();
            day.tokens += tokens;
            day.cost_usd += usage.cost_usd;
            *day
        };
        let value = serde_json::to_vec(&day).expect("numbers are plain data");
        let until = now + 2 * DAY_MS.unsigned_abs();
        if let Err(error) = self.store.put(&key, &value, now, until).await {
            tracing::warn!(%error, "what a client has used up cannot be noted");
        }
    }

    /// Adds to the minute of a client and tells its sum.
    fn minute(&self, client: &str, now: Timestamp, tokens: u64) -> u64 {
        let minute = now.0.div_euclid(MINUTE_MS);
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.len() >= CLIENTS_MAX {
            minutes.retain(|_, (at, _)| *at == minute);
        }
        let entry = minutes.entry(client.to_owned()).or_insert((minute, 0));
        if entry.0 != minute {
            *entry = (minute, 0);
        }
        entry.1 += tokens;
        entry.1
    }

    async fn day(&self, client: &str, now: Timestamp) -> Day {
        let key = key(client, now);
        let known = self
            .days
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .copied();
        if let Some(known) = known {
            return known;
        }
        let kept = self.store.get(&key, now).await;
        let kept =
            kept.inspect_err(|error| tracing::warn!(%error, "what a client has used up cannot be read"));
        let day = kept
            .ok()
            .flatten()
            .and_then(|value| serde_json::from_slice(&value).ok());
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if days.len() >= CLIENTS_MAX {
            // They are in the store; those of other days are not asked for any more.
            days.clear();
        }
        *days.entry(key).or_insert(day.unwrap_or_default())
    }
}

fn key(client: &str, now: Timestamp) -> String {
    // Names of clients may have any letters; keys have ASCII ones.
    let client: String = client.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("budget:{}:{client}", now.0.div_euclid(DAY_MS))
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
