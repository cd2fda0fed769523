//! Batches of SQS messages: one turn of the engine per run, and a report of what has to be delivered again.

use std::collections::{BTreeMap, HashSet};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use futures_util::future::join_all;
use orchestrator_aws::messages::send::TRACEPARENT;
use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::Error;
use orchestrator_engine::ports::messages::{Body, Message, Recovery};
use orchestrator_engine::sweep::CLOCKS_DIFFER_MS;
use orchestrator_engine::trace::Context;

use tracing::{Instrument, field};

use crate::hop::Hop;
use crate::start::Function;

/// Runs worked on at a time.
const RUNS_AT_ONCE: usize = 10;
/// Entries in one call to SQS.
const ENTRIES_MAX: usize = 10;
/// Longest pause before a message is delivered again, seconds; below the time-outs of queues.
const PAUSE_MAX_SECONDS: i32 = 60;

/// One message as it was delivered.
pub(crate) struct Delivery {
    pub(crate) id: String,
    receipt: String,
    /// Messages of one group are delivered in order; `None` in standard queues.
    group: Option<String>,
    /// Times it was delivered, this one included.
    receives: i32,
    /// `None`: it cannot be read, so it is nobody's.
    message: Option<Message>,
    /// The turn that sent it, if it was traced.
    pub(crate) sender: Option<Context>,
    /// When it was sent, milliseconds since 1970.
    pub(crate) sent_at: Option<i64>,
}

/// Handles a batch. What the answer names is delivered again, and in the end goes to the dead letters.
///
/// A message that was delivered before may have been handled in part: its run also sends again whatever it owes, and what was
/// appended since the message was sent is published again. In a FIFO
/// queue everything after the first failure of a group is delivered again too.
///
/// `invocation` is the place of the invocation in a trace; a turn is part of its run's trace and linked to it.
pub async fn handle(
    function: &Function,
    queue_url: &str,
    event: SqsEvent,
    invocation: Option<Context>,
) -> SqsBatchResponse {
    let deliveries = join_all(event.records.into_iter().map(|record| read(function, record))).await;
    let mut failed: HashSet<usize> = HashSet::new();
    let mut blocked: HashSet<&str> = HashSet::new();
    let mut runs: BTreeMap<RunId, Vec<usize>> = BTreeMap::new();
    for (index, delivery) in deliveries.iter().enumerate() {
        let group = delivery.group.as_deref();
        match &delivery.message {
            Some(message) if !group.is_some_and(|group| blocked.contains(group)) => {
                runs.entry(message.run).or_default().push(index);
            }
            _ => {
                failed.insert(index);
                blocked.extend(group);
            }
        }
    }
    let runs: Vec<(RunId, Vec<usize>)> = runs.into_iter().collect();
    let _gathering = (runs.len() > 1).then(|| function.engine.ports().sender.gather());
    for runs in runs.chunks(RUNS_AT_ONCE) {
        let turns = runs.iter().map(async |(run, indexes)| {
            let of_run = indexes.iter().map(|index| &deliveries[*index]);
            let deliveries: Vec<&Delivery> = of_run.collect();
            let hop = Hop::begin(function, queue_url, *run, &deliveries, invocation);
            let lines = tracing::info_span!("turn", run_id = %run, trace_id = field::Empty);
            let is_done = turn(function, *run, deliveries).instrument(lines).await;
            if let Some(hop) = hop {
                hop.end(function, is_done);
            }
            (!is_done).then_some(indexes)
        });
        failed.extend(join_all(turns).await.into_iter().flatten().flatten());
    }
    fail_what_follows(&deliveries, &mut failed);
    let again: Vec<&Delivery> = (0..deliveries.len())
        .filter(|index| failed.contains(index))
        .map(|index| &deliveries[index])
        .collect();
    deliver_again_soon(function, queue_url, &again).await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = again.into_iter().map(failure).collect();
    response
}

fn failure(delivery: &Delivery) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = delivery.id.clone();
    failure
}

async fn read(function: &Function, record: SqsMessage) -> Delivery {
    let attribute = |name: &str| record.attributes.get(name);
    let receives = attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    let group = attribute("MessageGroupId").cloned();
    let sent_at = attribute("SentTimestamp").and_then(|time| time.parse().ok());
    let sender = sender(&record);
    let id = record.message_id.unwrap_or_default();
    let body = record.body.unwrap_or_default();
    let message = function.engine.ports().queues.read(body).await;
    let message = message
        .inspect_err(|error| tracing::error!(message_id = %id, %error, "a message cannot be read"))
        .ok();
    Delivery {
        id,
        sender,
        sent_at,
        receipt: record.receipt_handle.unwrap_or_default(),
        group,
        receives: receives.unwrap_or(1),
        message,
    }
}

/// The turn or the request that sent a message, if it was traced.
pub(crate) fn sender(record: &SqsMessage) -> Option<Context> {
    let attribute = record.message_attributes.get(TRACEPARENT)?;
    Context::parse(attribute.string_value.as_deref()?)
}

/// Handles all messages of a run in one turn. `false`: they have to be delivered again.
async fn turn(function: &Function, run: RunId, deliveries: Vec<&Delivery>) -> bool {
    let messages = deliveries.iter().filter_map(|delivery| delivery.message.as_ref());
    let mut bodies: Vec<Body> = messages.map(|message| message.body.clone()).collect();
    let again = || deliveries.iter().filter(|delivery| delivery.receives > 1);
    if again().next().is_some() {
        let sent_at = again().map(|delivery| delivery.sent_at).min().flatten();
        // The clock of SQS may be ahead of a function's.
        let since = Timestamp(sent_at.map_or(0, |at| at.saturating_sub_unsigned(CLOCKS_DIFFER_MS)));
        bodies.push(Body::Recover(Recovery::of_message(since)));
        // A run that is unknown is the turn's to settle.
        if let Err(error) = function.engine.publish_again(run, since).await
            && error.is_transient()
        {
            tracing::warn!(%error, "what a run did could not be published again");
            return false;
        }
    }
    let handled = function.engine.handle(run, &bodies).await;
    tracing::Span::current().record("trace_id", function.engine.trace_id(run));
    match handled {
        Ok(()) => true,
        // One of them is refused, and with it the whole turn.
        Err(Error::Rejected(_)) if bodies.len() > 1 => {
            let mut is_done = true;
            for body in &bodies {
                is_done &= settled(function.engine.handle(run, std::slice::from_ref(body)).await);
            }
            is_done
        }
        other => settled(other),
    }
}

/// Whether there is no use in doing it again.
fn settled(result: Result<(), Error>) -> bool {
    match result {
        Ok(()) => true,
        Err(Error::Rejected(rejection)) => {
            tracing::warn!(%rejection, "a message was refused");
            true
        }
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "messages will be delivered again");
            false
        }
        // The dead letters keep it for people.
        Err(error) => {
            tracing::error!(%error, "messages cannot be handled");
            false
        }
    }
}

/// Whatever comes after a failed message of its group has to come again, so that the order holds.
fn fail_what_follows(deliveries: &[Delivery], failed: &mut HashSet<usize>) {
    let mut blocked: HashSet<&str> = HashSet::new();
    for (index, delivery) in deliveries.iter().enumerate() {
        let Some(group) = delivery.group.as_deref() else {
            continue;
        };
        if failed.contains(&index) {
            blocked.insert(group);
        } else if blocked.contains(group) {
            failed.insert(index);
        }
    }
}

/// Has failed messages delivered again after their pauses.
async fn deliver_again_soon(function: &Function, queue_url: &str, deliveries: &[&Delivery]) {
    let pauses = deliveries
        .iter()
        .map(|delivery| (delivery.receipt.as_str(), pause_seconds(delivery)));
    pause(function, queue_url, &pauses.collect::<Vec<_>>()).await;
}

/// Failed messages stay invisible for as long as the queue's time-out says, which is made for functions that hang. These
/// are known to have failed: they come again after so many seconds, by their receipts.
pub(crate) async fn pause(function: &Function, queue_url: &str, receipts: &[(&str, i32)]) {
    for batch in receipts.chunks(ENTRIES_MAX) {
        let entries = batch.iter().enumerate().map(|(id, (receipt, seconds))| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id.to_string())
                .receipt_handle(*receipt)
                .visibility_timeout(*seconds)
                .build()
                .expect("an entry has an id and a receipt")
        });
        let request = function
            .engine
            .ports()
            .clients
            .sqs
            .change_message_visibility_batch();
        let changed = request
            .queue_url(queue_url)
            .set_entries(Some(entries.collect()))
            .send()
            .await;
        // Then they come later.
        if let Err(error) = changed {
            tracing::warn!(error = %aws_sdk_sqs::error::DisplayErrorContext(&error), "messages keep the time-out of their queue");
        }
    }
}

/// What nobody can read is not waited for.
fn pause_seconds(delivery: &Delivery) -> i32 {
    match delivery.message {
        Some(_) => pause_after(delivery.receives),
        None => 0,
    }
}

/// The pause after so many deliveries: it doubles.
pub(crate) fn pause_after(receives: i32) -> i32 {
    let doubled = 1i32.checked_shl(receives.clamp(1, 6).unsigned_abs() - 1);
    doubled.unwrap_or(PAUSE_MAX_SECONDS).min(PAUSE_MAX_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(group: Option<&str>, receives: i32) -> Delivery {
        Delivery {
            id: String::new(),
            receipt: String::new(),
            sender: None,
            sent_at: None,
            group: group.map(str::to_owned),
            receives,
            message: Some(Message {
                run: RunId::from_parts(1, 2),
                body: Body::Tick,
            }),
        }
    }

    #[test]
    fn what_follows_a_failure_in_its_group_fails_too() {
        let of = [Some("a"), Some("b"), Some("a"), None, Some("b"), Some("a"), None];
        let deliveries: Vec<Delivery> = of.iter().map(|group| delivery(*group, 1)).collect();
        let mut failed = HashSet::from([2, 3]);
        fail_what_follows(&deliveries, &mut failed);
        assert_eq!(failed, HashSet::from([2, 3, 5]));
    }

    #[test]
    fn pauses_grow_to_a_limit_and_unreadable_messages_do_not_wait() {
        let pauses: Vec<i32> = [0, 1, 2, 3, 7, 1_000]
            .iter()
            .map(|receives| pause_seconds(&delivery(None, *receives)))
            .collect();
        assert_eq!(pauses, [1, 1, 2, 4, 32, 32]);
        let unreadable = Delivery {
            message: None,
            ..delivery(None, 5)
        };
        assert_eq!(pause_seconds(&unreadable), 0);
    }
}
