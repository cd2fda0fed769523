//! Sending to queues in batches, with every entry's own outcome looked at.
//!
//! A call costs the same with one message as with ten. While a function works on several runs at a time, what their turns send
//! to the same queue at nearly the same time is sent together.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use orchestrator_engine::trace::{Context, xray};
use tokio::sync::oneshot;

use crate::clock::jitter;
use crate::fault::{Fault, Kind};
use crate::meter::Meter;

/// Name of the message attribute with the trace context.
pub const TRACEPARENT: &str = "traceparent";

/// Entries in one call.
const ENTRIES_MAX: usize = 10;
/// Bytes in one call; billed in 64 KB.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Tries of an entry that was refused for a reason that may pass.
const TRIES_MAX: u32 = 5;
/// Longest wait before the second try, milliseconds; doubles with every try.
const BACKOFF_MS: u64 = 50;
/// How long the first message waits for those of other turns.
const GATHERED: Duration = Duration::from_millis(5);

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its text.
    pub body: String,
    /// Its group, for FIFO queues.
    pub group: Option<String>,
    /// What makes it the same message when it is sent again, for FIFO queues.
    pub deduplication: Option<String>,
    /// Seconds until it is delivered, for standard queues.
    pub delay_seconds: i32,
    /// W3C trace context, sent as a message attribute.
    pub traceparent: Option<String>,
}

/// Sends to any queue.
#[derive(Debug, Clone)]
pub struct Sender {
    client: Client,
    meter: Meter,
    /// Whether X-Ray is told too; shared by all clones.
    tells_xray: Arc<AtomicBool>,
    gathered: Arc<Gathered>,
}

/// What turns of this process are about to send.
#[derive(Debug, Default)]
struct Gathered {
    /// Functions that work on several runs now.
    gathering: AtomicUsize,
    /// By queue.
    parcels: Mutex<BTreeMap<String, Vec<Parcel>>>,
}

/// What one turn sends to a queue, and who waits for it to be sent.
#[derive(Debug)]
struct Parcel {
    messages: Vec<Outgoing>,
    sent: oneshot::Sender<Result<(), Fault>>,
}

/// As long as this lives, what is sent to one queue at nearly the same time is sent together.
#[derive(Debug)]
pub struct Gathering(Arc<Gathered>);

impl Drop for Gathering {
    fn drop(&mut self) {
        self.0.gathering.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sender {
    /// Sends with this client.
    pub fn new(client: Client, meter: Meter) -> Sender {
        Sender {
            client,
            meter,
            tells_xray: Arc::default(),
            gathered: Arc::default(),
        }
    }

    /// From now on messages also carry `AWSTraceHeader`, by which X-Ray joins what a function does to what sent its message.
    pub fn tell_xray(&self) {
        self.tells_xray.store(true, Ordering::Relaxed);
    }

    /// For whoever is going to work on several runs at a time.
    pub fn gather(&self) -> Gathering {
        self.gathered.gathering.fetch_add(1, Ordering::Relaxed);
        Gathering(Arc::clone(&self.gathered))
    }

    /// Sends the messages, in order within a group. Entries that were refused for a reason that may pass are sent again,
    /// and only those.
    ///
    /// # Errors
    /// When some are not known to have been sent.
    pub async fn send(&self, queue_url: &str, messages: Vec<Outgoing>) -> Result<(), Fault> {
        if messages.is_empty() || self.gathered.gathering.load(Ordering::Relaxed) == 0 {
            return self.send_now(queue_url, messages).await;
        }
        let (sent, outcome) = oneshot::channel();
        let is_first = {
            let mut parcels = self
                .gathered
                .parcels
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let parcels = parcels.entry(queue_url.to_owned()).or_default();
            parcels.push(Parcel { messages, sent });
            parcels.len() == 1
        };
        if is_first {
            // Not part of this turn: others wait for it even if this one is given up.
            tokio::spawn(self.clone().send_gathered(queue_url.to_owned()));
        }
        outcome.await.unwrap_or_else(|_| {
            Err(Fault {
                kind: Kind::Transient,
                detail: "the messages were gathered and not sent".to_owned(),
            })
        })
    }

    async fn send_gathered(self, queue_url: String) {
        tokio::time::sleep(GATHERED).await;
        let parcels = {
            let mut parcels = self
                .gathered
                .parcels
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            parcels.remove(&queue_url).unwrap_or_default()
        };
        let all = parcels.iter().flat_map(|parcel| parcel.messages.iter().cloned());
        let outcome = self.send_now(&queue_url, all.collect()).await;
        let is_somebodys =
            outcome.as_ref().is_err_and(|fault| fault.kind == Kind::Fatal) && parcels.len() > 1;
        for mut parcel in parcels {
            let outcome = match is_somebodys {
                // What is wrong with the messages of one run is not the fault of the others.
                true => self.send_now(&queue_url, mem::take(&mut parcel.messages)).await,
                false => outcome.clone(),
            };
            // Its turn may have been given up.
            let _ = parcel.sent.send(outcome);
        }
    }

    async fn send_now(&self, queue_url: &str, messages: Vec<Outgoing>) -> Result<(), Fault> {
        for batch in batches(messages) {
            self.send_batch(queue_url, batch).await?;
        }
        Ok(())
    }

    async fn send_batch(&self, queue_url: &str, mut batch: Vec<Outgoing>) -> Result<(), Fault> {
        let mut refused = None;
        for tried in 0..TRIES_MAX {
            if tried > 0 {
                tokio::time::sleep(jitter(BACKOFF_MS << tried)).await;
            }
            let bytes = batch.iter().map(|message| message.body.len()).sum();
            let is_fifo = batch.iter().any(|message| message.group.is_some());
            self.meter.queue_call(bytes, is_fifo);
            let tells_xray = self.tells_xray.load(Ordering::Relaxed);
            let entries = batch
                .iter()
                .enumerate()
                .map(|(id, message)| entry(id, message, tells_xray));
            let request = self.client.send_message_batch().queue_url(queue_url);
            let output = request
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .map_err(|error| Fault::of(&error))?;
            let mut again = Vec::new();
            for failed in output.failed {
                let detail = format!("{}: {}", failed.code, failed.message.unwrap_or_default());
                if failed.sender_fault {
                    return Err(Fault {
                        kind: Kind::Fatal,
                        detail,
                    });
                }
                again.extend(failed.id.parse::<usize>());
                refused = Some(detail);
            }
            if again.is_empty() {
                return Ok(());
            }
            let mut id = 0..batch.len();
            batch.retain(|_| id.next().is_some_and(|id| again.contains(&id)));
        }
        Err(Fault {
            kind: Kind::Throttled,
            detail: refused.unwrap_or_else(|| "entries were refused".to_owned()),
        })
    }
}

fn entry(id: usize, message: &Outgoing, tells_xray: bool) -> SendMessageBatchRequestEntry {
    let context = message.traceparent.as_deref().and_then(Context::parse);
    let for_xray = context.filter(|_| tells_xray).map(|context| {
        MessageSystemAttributeValue::builder()
            .data_type("String")
            .string_value(xray::header(&context))
            .build()
            .expect("an attribute has a type")
    });
    SendMessageBatchRequestEntry::builder()
        .set_message_system_attributes(
            for_xray.map(|header| [(MessageSystemAttributeNameForSends::AwsTraceHeader, header)].into()),
        )
        .id(id.to_string())
        .message_body(&message.body)
        .set_message_group_id(message.group.clone())
        .set_message_deduplication_id(message.deduplication.clone())
        .set_delay_seconds((message.delay_seconds > 0).then_some(message.delay_seconds))
        .set_message_attributes(message.traceparent.as_ref().map(|parent| {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(parent)
                .build()
                .expect("an attribute has a type");
            [(TRACEPARENT.to_owned(), value)].into()
        }))
        .build()
        .expect("an entry has an id and a body")
}

/// Cuts messages into batches that one call may carry, in order.
fn batches(messages: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut batches: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let length = message.body.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < ENTRIES_MAX && bytes + length <= BATCH_BYTES_MAX => {
                bytes += length;
                batch.push(message);
            }
            _ => {
                bytes = length;
                batches.push(vec![message]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Outgoing {
        Outgoing {
            body: "x".repeat(bytes),
            group: None,
            deduplication: None,
            delay_seconds: 0,
            traceparent: None,
        }
    }

    #[test]
    fn batches_keep_to_the_limits_and_the_order() {
        let lengths = |messages: Vec<Outgoing>| {
            let batches = batches(messages);
            batches.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(Vec::new()), Vec::<usize>::new());
        assert_eq!(lengths((1..=23).map(message).collect()), [10, 10, 3]);
        let half = BATCH_BYTES_MAX / 2;
        assert_eq!(lengths(vec![message(half), message(half), message(1)]), [2, 1]);
        assert_eq!(lengths(vec![message(2 * BATCH_BYTES_MAX), message(1)]), [1, 1]);
        let order: Vec<usize> = batches((1..=23).map(message).collect())
            .concat()
            .iter()
            .map(|message| message.body.len())
            .collect();
        assert!(order.is_sorted());
    }
}
