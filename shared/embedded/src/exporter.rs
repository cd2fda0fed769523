//! Sends spans and metrics to a collector, from a thread of its own.
//!
//! Whoever has spans puts them into a bounded queue and goes on; what does not fit is counted and dropped. The thread takes
//! them out when there are enough for a request or when the oldest has waited long enough. A collector that is away, slow or
//! broken costs spans, never time or memory of a run.

mod batches;
mod send;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use orchestrator_engine::api::backend::{Stats, TelemetryStats};
use orchestrator_engine::trace::{Export, Queue, Record, Sink, Tracer};

use send::Sender;

/// Longest time for what is left at the end.
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// Turns that take less, milliseconds, have no span of their own: their time would be 0.
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
    queue: Arc<Queue>,
    state: Mutex<State>,
    /// There is enough to send, or the end has come.
    wanted: Condvar,
    /// The thread has ended.
    ended: Condvar,
    sent: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    is_stopping: bool,
    has_ended: bool,
}

impl Exporter {
    /// Starts the thread. Without one spans are dropped: traces are no reason not to start.
    pub fn start(export: Export, numbers: Numbers) -> Arc<Exporter> {
        let shared = Arc::new(Shared {
            queue: Arc::new(Queue::new(export.queue_max)),
            export,
            state: Mutex::default(),
            wanted: Condvar::new(),
            ended: Condvar::new(),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("traces".to_owned());
        if let Err(error) = thread.spawn(move || Sender::new(of_thread, numbers).run()) {
            tracing::warn!(%error, "there is no thread for traces; they are not exported");
            shared.queue.close();
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
        self.shared.queue.close();
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
    fn queue(&self) -> &Arc<Queue> {
        &self.shared.queue
    }

    fn take(&self, record: Record) {
        self.noted(self.shared.queue.push(record));
    }

    fn noted(&self, waiting: Range<usize>) {
        let shared = &*self.shared;
        // The thread is woken when there is enough and when there is too much, not once per turn.
        if waiting.contains(&(shared.enough() - 1)) || waiting.contains(&(shared.crowd() - 1)) {
            // It has not looked yet or waits already, but is not in between.
            drop(shared.lock());
            shared.wanted.notify_one();
        }
    }
}

impl Shared {
    fn exported(&self) -> Exported {
        Exported {
            sent: self.sent.load(Ordering::Relaxed),
            dropped: self.queue.dropped(),
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

    /// So many spans are worth waking somebody for: a request. Waking for four times as many made runs slower, not faster.
    fn enough(&self) -> usize {
        self.export.batch_max
    }

    /// So many spans are too many to wait while nobody takes them.
    fn crowd(&self) -> usize {
        self.export.queue_max.div_ceil(2)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
