//! The thread that sends.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use orchestrator_core::time::Timestamp;
use orchestrator_engine::api::backend::Stats;
use orchestrator_engine::metrics::otlp::request as metrics;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::trace::Export;
use orchestrator_engine::trace::otlp::CONTENT_TYPE;

use super::batches::{Batch, Batches};
use super::{Numbers, Shared, State};
use crate::clock::SystemClock;
use crate::http::{config, is_secure};

/// Tries of one request.
const TRIES_MAX: u32 = 4;
/// Pause before the second try; doubles with every further one.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Notes that are made into spans at a time; somebody who loads a run may have to wait so long.
const NOTES_MAX: usize = 512;
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// The thread.
pub(super) struct Sender {
    shared: Arc<Shared>,
    client: ureq::Agent,
    is_failing: bool,
    numbers: Numbers,
    started_at: Timestamp,
    metrics_sent_at: Timestamp,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>, numbers: Numbers) -> Sender {
        let Export {
            endpoint,
            metrics_endpoint,
            timeout,
            ..
        } = &shared.export;
        let is_secure = is_secure(endpoint) || metrics_endpoint.as_deref().is_some_and(is_secure);
        let config = config(is_secure).timeout_global(Some(*timeout)).build();
        Sender {
            metrics_sent_at: SystemClock.now(),
            started_at: SystemClock.now(),
            shared,
            client: config.into(),
            is_failing: false,
            numbers,
        }
    }

    pub(super) fn run(mut self) {
        let Export {
            resource, batch_max, ..
        } = &self.shared.export;
        let mut batches = Batches::new(resource.clone(), *batch_max);
        while self.next() {
            while self.shared.queue.make(NOTES_MAX, |span| batches.add(&span)) {
                while let Some(batch) = batches.full() {
                    self.send(&batch);
                    batches.reuse(batch);
                }
            }
            while let Some(batch) = batches.rest() {
                self.send(&batch);
                batches.reuse(batch);
            }
            if self.metrics_are_due() {
                self.send_metrics();
            }
        }
        self.send_metrics();
        self.shared.lock().has_ended = true;
        self.shared.ended.notify_all();
    }

    /// Waits until there is enough, or until the delay is over, and takes it. Whether there is more to come.
    fn next(&self) -> bool {
        let Shared { export, queue, .. } = &*self.shared;
        let state = self.shared.lock();
        let is_short = |state: &mut State| !state.is_stopping && queue.waiting() < self.shared.enough();
        let waited = (self.shared.wanted).wait_timeout_while(state, export.delay, is_short);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_stopping && queue.waiting() == 0 {
            return false;
        }
        queue.take();
        true
    }

    /// A clock that was set back makes them due.
    fn metrics_are_due(&self) -> bool {
        let now = SystemClock.now();
        let since = Duration::from_millis(now.millis_since(self.metrics_sent_at));
        now < self.metrics_sent_at || since >= self.shared.export.metrics_interval
    }

    /// Metrics are cumulative: what does not arrive now is in what is sent next, so nothing is sent twice.
    fn send_metrics(&mut self) {
        let Some(endpoint) = self.shared.export.metrics_endpoint.clone() else {
            return;
        };
        let now = SystemClock.now();
        self.metrics_sent_at = now;
        let numbers = Stats {
            uptime_seconds: now.millis_since(self.started_at) / 1_000,
            telemetry: self.shared.stats(),
            ..(self.numbers)()
        };
        let body = metrics(&self.shared.export.resource, &numbers, self.started_at, now);
        if let Err(Refused { detail, .. }) = self.post(&endpoint, &body)
            && !std::mem::replace(&mut self.is_failing, true)
        {
            tracing::warn!(
                endpoint,
                problem = detail,
                "metrics cannot be delivered; runs go on without them"
            );
        }
    }

    fn send(&mut self, batch: &Batch) {
        let spans = batch.spans as u64;
        let mut pause = PAUSE_FIRST;
        let mut problem = String::new();
        for _ in 0..TRIES_MAX {
            match self.post(&self.shared.export.endpoint, &batch.body) {
                Ok(()) => {
                    self.shared.sent.fetch_add(spans, Ordering::Relaxed);
                    if std::mem::take(&mut self.is_failing) {
                        tracing::warn!(
                            endpoint = self.shared.export.endpoint,
                            "traces are delivered again"
                        );
                    }
                    return;
                }
                Err(Refused { detail, is_transient }) => {
                    problem = detail;
                    if !is_transient || !self.pause(pause) {
                        break;
                    }
                    pause *= 2;
                }
            }
        }
        self.shared.failed.fetch_add(spans, Ordering::Relaxed);
        // Told once, not for every batch.
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(
                endpoint = self.shared.export.endpoint,
                problem,
                "traces cannot be delivered; runs go on without them"
            );
        }
    }

    /// Waits, unless the end comes. Whether to try again. What comes in such numbers that the queue would be full, and those
    /// who work on runs would have to see to it, is dropped here.
    fn pause(&self, pause: Duration) -> bool {
        let until = SystemClock.now() + u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let crowd = self.shared.crowd();
        loop {
            let state = self.shared.lock();
            let queue = &self.shared.queue;
            let goes_on = |state: &mut State| !state.is_stopping && queue.waiting() < crowd;
            let rest = Duration::from_millis(until.millis_since(SystemClock.now()));
            // A clock that was set back makes no pause longer.
            let waited = (self.shared.wanted).wait_timeout_while(state, rest.min(pause), goes_on);
            let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.is_stopping || queue.waiting() < crowd {
                return !state.is_stopping;
            }
            drop(state);
            queue.drop_all();
        }
    }

    fn post(&self, endpoint: &str, body: &[u8]) -> Result<(), Refused> {
        let headers = &self.shared.export.headers;
        let mut request = self.client.post(endpoint).header("content-type", CONTENT_TYPE);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut response = request.send(body).map_err(|error| Refused {
            is_transient: !matches!(error, ureq::Error::BadUri(_) | ureq::Error::Http(_)),
            detail: error.to_string(),
        })?;
        let status = response.status().as_u16();
        // Read to its end, so that the connection can be used again; what it says is for people.
        let answer = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec();
        match status {
            200..=299 => Ok(()),
            _ => Err(Refused {
                // By the OTLP specification.
                is_transient: matches!(status, 429 | 502 | 503 | 504),
                detail: format!(
                    "the collector answered {status} {}",
                    told(&answer.unwrap_or_default())
                ),
            }),
        }
    }
}

/// Why a request was not taken.
struct Refused {
    detail: String,
    is_transient: bool,
}

/// The beginning of an answer, if it is text.
fn told(answer: &[u8]) -> String {
    const SHOWN_MAX: usize = 200;
    let text = String::from_utf8_lossy(answer);
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(SHOWN_MAX)
        .collect()
}
