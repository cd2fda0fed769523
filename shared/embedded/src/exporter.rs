//! Sends spans and metrics to a collector, from a thread of its own.
//!
//! Whoever has spans puts them into a bounded queue and goes on; what does not fit is counted and dropped. The thread takes
//! them out when there are enough for a request or when the oldest has waited long enough. A collector that is away, slow or
//! broken costs spans, never time or memory of a run.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use orchestrator_core::time::Timestamp;
use orchestrator_engine::api::backend::{Stats, TelemetryStats};
use orchestrator_engine::metrics::otlp::request as metrics;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::trace::otlp::{self, CONTENT_TYPE};
use orchestrator_engine::trace::{Export, Queue, Record, Sink, Span, Tracer};

use crate::clock::SystemClock;
use crate::http::{config, is_secure};

/// Tries of one request.
const TRIES_MAX: u32 = 4;
/// Pause before the second try; doubles with every further one.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Longest time for what is left at the end.
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Turns and dispatches that take less, milliseconds, have no span of their own: their time would be 0.
const WORK_MS_MIN: u64 = 1;

/// Who records spans, and who sends them.
#[derive(Debug)]
pub(crate) struct Traces {
    pub(crate) tracer: Arc<Tracer>,
    pub(crate) exporter: Arc<Exporter>,
}

impl Traces {
    /// Starts to send spans, and now and then the metrics that `numbers` gives.
    pub(crate) fn start(export: Export, numbers: Numbers) -> Traces {
        let exporter = Exporter::start(export.clone(), numbers);
        let sink: Arc<dyn Sink> = Arc::clone(&exporter) as _;
        Traces {
            tracer: Arc::new(Tracer::new(&export, sink, WORK_MS_MIN)),
            exporter,
        }
    }
}

/// Gives the numbers as they are now. Called by the exporter's thread, and may take its time.
pub type Numbers = Box<dyn Fn() -> Stats + Send>;

/// What has become of spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Taken by the collector.
    pub sent: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
    /// Given up because the collector did not take them.
    pub failed: u64,
}

/// The sending end. Stopping it sends what is left, within bounds.
#[derive(Debug)]
pub struct Exporter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    export: Export,
    state: Mutex<State>,
    /// There is enough to send, or the end has come.
    wanted: Condvar,
    /// The thread has ended.
    ended: Condvar,
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    is_stopping: bool,
    has_ended: bool,
}

impl Exporter {
    /// Starts the thread. Without one spans are dropped: traces are no reason not to start.
    pub fn start(export: Export, numbers: Numbers) -> Arc<Exporter> {
        let shared = Arc::new(Shared {
            export,
            state: Mutex::default(),
            wanted: Condvar::new(),
            ended: Condvar::new(),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("traces".to_owned());
        if let Err(error) = thread.spawn(move || Sender::new(of_thread, numbers).run()) {
            tracing::warn!(%error, "there is no thread for traces; they are not exported");
            let mut state = shared.lock();
            (state.is_stopping, state.has_ended) = (true, true);
        }
        Arc::new(Exporter { shared })
    }

    /// What has become of the spans so far.
    pub fn exported(&self) -> Exported {
        self.shared.exported()
    }

    /// The same, as the API shows it.
    pub(crate) fn stats(&self) -> TelemetryStats {
        self.shared.stats()
    }

    /// Sends what is left and ends the thread; gives up after a while.
    pub fn stop(&self) {
        let mut state = self.shared.lock();
        state.is_stopping = true;
        self.shared.wanted.notify_all();
        let timeout = END_TIMEOUT.min(self.shared.export.timeout);
        // After the timeout the thread is left behind; it ends with the process.
        let waited = self
            .shared
            .ended
            .wait_timeout_while(state, timeout, |state| !state.has_ended);
        drop(waited);
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Sink for Exporter {
    fn take(&self, records: Vec<Record>) {
        let shared = &*self.shared;
        let mut state = shared.lock();
        let spans_max = match state.is_stopping {
            true => 0,
            false => shared.export.queue_max,
        };
        let before = state.queue.spans();
        let excess = state.queue.extend(records, spans_max);
        if excess > 0 {
            shared.dropped.fetch_add(excess as u64, Ordering::Relaxed);
        }
        // The thread is woken once per batch, not once per turn.
        let batch = shared.export.batch_max;
        if before < batch && state.queue.spans() >= batch {
            shared.wanted.notify_one();
        }
    }
}

impl Shared {
    fn exported(&self) -> Exported {
        Exported {
            sent: self.sent.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    fn stats(&self) -> TelemetryStats {
        let exported = self.exported();
        TelemetryStats {
            enabled: true,
            service_name: self.export.resource.get("service.name").map(str::to_owned),
            current_trace_id: None,
            spans_sent: exported.sent,
            spans_dropped: exported.dropped,
            spans_failed: exported.failed,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread.
struct Sender {
    shared: Arc<Shared>,
    client: ureq::Agent,
    is_failing: bool,
    numbers: Numbers,
    started_at: Timestamp,
    metrics_sent_at: Timestamp,
}

impl Sender {
    fn new(shared: Arc<Shared>, numbers: Numbers) -> Sender {
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

    fn run(mut self) {
        while let Some(records) = self.next() {
            let batch_max = self.shared.export.batch_max;
            let mut batch = Vec::with_capacity(batch_max);
            for record in records {
                if !batch.is_empty() && batch.len() + record.spans() > batch_max {
                    self.send_all(&mut batch);
                }
                record.make(&mut batch);
            }
            self.send_all(&mut batch);
            if self.metrics_are_due() {
                self.send_metrics();
            }
        }
        self.send_metrics();
        self.shared.lock().has_ended = true;
        self.shared.ended.notify_all();
    }

    /// Waits until there is a batch, or until the delay is over; `None` at the end.
    fn next(&self) -> Option<VecDeque<Record>> {
        let Export { batch_max, delay, .. } = self.shared.export;
        let state = self.shared.lock();
        let is_short = |state: &mut State| !state.is_stopping && state.queue.spans() < batch_max;
        let waited = self.shared.wanted.wait_timeout_while(state, delay, is_short);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_over = state.is_stopping && state.queue.spans() == 0;
        (!is_over).then(|| state.queue.take())
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

    /// Sends spans in as many requests as it takes.
    fn send_all(&mut self, spans: &mut Vec<Span>) {
        for batch in spans.chunks(self.shared.export.batch_max) {
            self.send(batch);
        }
        spans.clear();
    }

    fn send(&mut self, batch: &[Span]) {
        let body = otlp::traces(&self.shared.export.resource, batch);
        let mut pause = PAUSE_FIRST;
        let mut problem = String::new();
        for _ in 0..TRIES_MAX {
            match self.post(&self.shared.export.endpoint, &body) {
                Ok(()) => {
                    self.shared.sent.fetch_add(batch.len() as u64, Ordering::Relaxed);
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
        self.shared
            .failed
            .fetch_add(batch.len() as u64, Ordering::Relaxed);
        // Told once, not for every batch.
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(
                endpoint = self.shared.export.endpoint,
                problem,
                "traces cannot be delivered; runs go on without them"
            );
        }
    }

    /// Waits, unless the end comes. Whether to try again.
    fn pause(&self, pause: Duration) -> bool {
        let state = self.shared.lock();
        let goes_on = |state: &mut State| !state.is_stopping;
        let waited = self.shared.wanted.wait_timeout_while(state, pause, goes_on);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.is_stopping
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
