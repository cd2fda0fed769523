//! Requests per client on the table: token buckets, changed only as they were read.

use orchestrator_core::guard::{Admission, RateLimits as Limits, TokenBucket};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::RateLimits;

use crate::clock::jitter;
use crate::fault::{Fault, Kind};
use crate::table::item::{number, seconds, text, text_of};
use crate::table::keys::{Key, PK, TTL};
use crate::table::{Condition, Table, Written};

/// `bucket` is a reserved word.
const BUCKET: &str = "token_bucket";
/// How long an idle bucket is kept, milliseconds: by then it has filled up.
const KEPT_MS: u64 = 2 * 3_600_000;
/// Tries of a client whose requests all come at once.
const TRIES_MAX: u32 = 12;

/// Token buckets of clients.
#[derive(Debug, Clone)]
pub struct TableRateLimits {
    table: Table,
    limits: Limits,
}

impl TableRateLimits {
    /// The same limits for every client.
    pub fn new(table: Table, limits: Limits) -> TableRateLimits {
        TableRateLimits { table, limits }
    }

    async fn try_take(&self, client_id: &str, now: Timestamp) -> Result<Option<Admission>, Fault> {
        let key = Key::rate(client_id);
        let stored = self.table.get(&key).await?;
        let stored = stored.as_ref().map(|item| text_of(item, BUCKET)).transpose()?;
        let mut bucket = match stored {
            Some(stored) => serde_json::from_str(stored).map_err(|error| Fault {
                kind: Kind::Fatal,
                detail: format!("the token bucket of a client cannot be read: {error}"),
            })?,
            None => TokenBucket::new(&self.limits, now),
        };
        let admission = bucket.admit(&self.limits, now);
        if let Admission::RetryAfter(_) = admission {
            return Ok(Some(admission));
        }
        let mut item = key.to_item();
        let bucket = serde_json::to_string(&bucket).expect("a bucket is plain data");
        item.insert(BUCKET.to_owned(), text(bucket));
        item.insert("at".to_owned(), number(now.0));
        item.insert(TTL.to_owned(), seconds(now.plus_millis(KEPT_MS)));
        let as_read = match stored {
            Some(stored) => Condition::new(&format!("{BUCKET} = :stored"), [(":stored", text(stored))]),
            None => Condition::new(&format!("attribute_not_exists({PK})"), []),
        };
        let written = self.table.put(item, 0, Some(as_read)).await?;
        Ok((written == Written::Done).then_some(admission))
    }
}

impl RateLimits for TableRateLimits {
    async fn take(&self, client_id: &str, now: Timestamp) -> Result<Option<u64>, HostError> {
        if self.limits.per_minute.is_none() && self.limits.per_hour.is_none() {
            return Ok(None);
        }
        for tried in 0..TRIES_MAX {
            let admission = self.try_take(client_id, now).await;
            match admission.map_err(|fault| fault.in_part("the store of rate limits"))? {
                Some(Admission::Allowed) => return Ok(None),
                Some(Admission::RetryAfter(seconds)) => return Ok(Some(seconds)),
                None => tokio::time::sleep(jitter(5 << tried.min(5))).await,
            }
        }
        // So many requests of one client at this moment are too many.
        Ok(Some(1))
    }
}
