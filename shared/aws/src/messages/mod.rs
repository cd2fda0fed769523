//! Messages between the functions, on SQS.
//!
//! What asks for a decision goes to the standard queue `decisions`: order does not matter, and any number of functions may
//! work on it. What agents said goes to the FIFO queue `task-events`, one group per run, so that reports of one run meet
//! in one batch instead of racing each other for its journal.

pub mod send;
pub mod translations;
pub mod wire;

use futures_util::future::join;
use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Messages;
use orchestrator_engine::ports::messages::{Body, Message};
use orchestrator_engine::trace::Turn;
use sha2::{Digest, Sha256};

use crate::payloads::{MESSAGE_BYTES_MAX, Payloads};
use send::{Outgoing, Sender};

/// Longest delay SQS allows.
const DELAY_MAX_MS: u64 = 900_000;

/// The queues between the functions.
#[derive(Debug, Clone)]
pub struct Queues {
    sender: Sender,
    payloads: Payloads,
    decisions: String,
    task_events: String,
}

impl Queues {
    /// The queues with these URLs.
    pub fn new(sender: Sender, payloads: Payloads, decisions: String, task_events: String) -> Queues {
        Queues {
            sender,
            payloads,
            decisions,
            task_events,
        }
    }

    /// The message in the body of a delivery.
    ///
    /// # Errors
    /// When it is none, or its text is in the bucket and cannot be read.
    pub async fn read(&self, text: String) -> Result<Message, HostError> {
        let text = self
            .payloads
            .unfold(text)
            .await
            .map_err(|fault| fault.in_part(WHAT))?;
        wire::decode(&text).map_err(|error| HostError {
            what: WHAT,
            detail: error.to_string(),
        })
    }

    async fn outgoing(&self, message: &Message, turn: Option<Turn<'_>>) -> Result<Outgoing, HostError> {
        let text = wire::encode(message);
        let hash = hex::encode(Sha256::digest(&text));
        let body = self
            .payloads
            .fit(message.run, text, MESSAGE_BYTES_MAX)
            .await
            .map_err(|fault| fault.in_part(WHAT))?;
        let is_said = is_said(&message.body);
        Ok(Outgoing {
            body,
            group: is_said.then(|| message.run.to_string()),
            deduplication: is_said.then_some(hash),
            delay_seconds: 0,
            traceparent: turn.map(|turn| turn.context().traceparent()),
        })
    }
}

/// Whether the message is what agents said.
fn is_said(body: &Body) -> bool {
    matches!(body, Body::Reports(_) | Body::Said(_))
}

const WHAT: &str = "the message queue";

impl Messages for Queues {
    async fn send(&self, messages: Vec<Message>) -> Result<(), HostError> {
        self.send_from(None, messages).await
    }

    async fn send_from(&self, turn: Option<Turn<'_>>, messages: Vec<Message>) -> Result<(), HostError> {
        let mut decisions = Vec::new();
        let mut task_events = Vec::new();
        for message in &messages {
            let outgoing = self.outgoing(message, turn).await?;
            match is_said(&message.body) {
                true => task_events.push(outgoing),
                false => decisions.push(outgoing),
            }
        }
        let said = self.sender.send(&self.task_events, task_events);
        let asked = self.sender.send(&self.decisions, decisions);
        let (said, asked) = join(said, asked).await;
        said.and(asked).map_err(|fault| fault.in_part(WHAT))
    }

    async fn wake(&self, run: RunId, at: Timestamp, now: Timestamp) -> Result<bool, HostError> {
        let delay_ms = at.millis_since(now);
        if delay_ms > DELAY_MAX_MS {
            return Ok(false);
        }
        let message = Message {
            run,
            body: Body::Tick,
        };
        let outgoing = Outgoing {
            // Rounded up: a message that comes early finds nothing due.
            delay_seconds: i32::try_from(delay_ms.div_ceil(1_000)).unwrap_or(i32::MAX),
            ..self.outgoing(&message, None).await?
        };
        self.sender
            .send(&self.decisions, vec![outgoing])
            .await
            .map_err(|fault| fault.in_part(WHAT))?;
        Ok(true)
    }
}
