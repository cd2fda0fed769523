//! Alerts to a webhook: in their order, at least once, until they are taken.
//!
//! What is to be sent is in the database before it is known here, and is deleted there after it was taken, so a killed
//! process sends it again when it starts. A delivery that fails is tried again, longer and longer after the last time; the
//! alerts behind it wait.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::sla::AlertKeySecret;

use crate::clock::SystemClock;
use crate::host::input::{Inbox, Input};
use crate::http::{config, is_secure};

/// Where alerts are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `http://...`; gets every alert with POST.
    pub url: String,
    /// Signs them, if there is one.
    pub secret: Option<AlertKeySecret>,
}

/// Alerts in memory that wait to be sent; more stay in the database until the next start.
const WAITING_MAX: usize = 10_000;
/// Tries of one alert: about a day.
const TRIES_MAX: u32 = 300;
/// First and longest wait between two tries.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_LAST: Duration = Duration::from_secs(300);
/// Longest time for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An alert on its way: its id and its text.
type Waiting = (String, String);

/// Hands alerts to the thread that sends them.
#[derive(Debug)]
pub(crate) struct Outgoing(SyncSender<Waiting>);

impl Outgoing {
    /// Starts the thread. It ends when the last sender is gone.
    pub(crate) fn start(webhook: Webhook, inbox: Inbox) -> std::io::Result<Outgoing> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        thread::Builder::new()
            .name("webhook".to_owned())
            .spawn(move || send_all(&webhook, &receiver, &inbox))?;
        Ok(Outgoing(sender))
    }

    /// Sends an alert that is in the database.
    pub(crate) fn send(&self, id: String, body: String) {
        if let Err(TrySendError::Full((id, _))) = self.0.try_send((id, body)) {
            tracing::warn!(%id, "too many alerts wait for the webhook; this one is sent after the next start");
        }
    }
}

fn send_all(webhook: &Webhook, receiver: &Receiver<Waiting>, inbox: &Inbox) {
    let config = config(is_secure(&webhook.url))
        .timeout_global(Some(TIMEOUT))
        .build();
    let client = ureq::Agent::from(config);
    // What came while an earlier alert was tried again.
    let mut behind = std::collections::VecDeque::new();
    loop {
        let next = behind.pop_front().map_or_else(|| receiver.recv().ok(), Some);
        let Some((id, body)) = next else { return };
        let mut wait = WAIT_FIRST;
        for tried in 1..=TRIES_MAX {
            match send(&client, webhook, &id, &body) {
                Ok(()) => break,
                Err(problem) if tried == TRIES_MAX => {
                    tracing::error!(%id, %problem, "the webhook took no alert for a day; this one is given up");
                }
                Err(problem) => {
                    tracing::warn!(%id, %problem, again_in = ?wait, "the webhook did not take an alert");
                    if !rest(receiver, &mut behind, wait) {
                        return;
                    }
                    wait = (wait * 2).min(WAIT_LAST);
                }
            }
        }
        inbox.send(Input::Sent(id));
    }
}

/// Waits without missing the end. `false`: the process stops; what was not sent is in the database.
fn rest(
    receiver: &Receiver<Waiting>,
    behind: &mut std::collections::VecDeque<Waiting>,
    wait: Duration,
) -> bool {
    let until = SystemClock.now() + u64::try_from(wait.as_millis()).unwrap_or(0);
    loop {
        let left = Duration::from_millis(until - SystemClock.now());
        match receiver.recv_timeout(left) {
            Ok(waiting) if behind.len() < WAITING_MAX => behind.push_back(waiting),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

fn send(client: &ureq::Agent, webhook: &Webhook, id: &str, body: &str) -> Result<(), String> {
    let seconds = SystemClock.now().0 / 1_000;
    let mut request = client
        .post(&webhook.url)
        .header("content-type", "application/json")
        .header("idempotency-key", id)
        .header("x-orchestrator-timestamp", seconds.to_string());
    if let Some(secret) = &webhook.secret {
        request = request.header("x-orchestrator-signature", secret.sign(seconds, body.as_bytes()));
    }
    match request.send(body.as_bytes()) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answered with status {}", answer.status().as_u16())),
        Err(error) => Err(error.to_string()),
    }
}
