//! Where spans go: the seam between what happens and whoever exports it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;

use super::context::SpanId;
use super::export::Export;
use super::interval::Interval;
use super::propagation::Propagators;
use super::queue::Queue;
use super::run::RunTrace;
use super::sampler::Sampler;
use super::span::Span;

/// Takes spans and sends them off, now or later. Never waits and never fails: what cannot be sent is counted and dropped.
pub trait Sink: fmt::Debug + Send + Sync {
    /// Where notes on runs are written that spans are made of.
    fn queue(&self) -> &Arc<Queue>;

    /// Takes spans of a sampled trace.
    fn take(&self, record: Record);

    /// Notes were written: so many spans waited in the queue before, and so many do now.
    fn noted(&self, waiting: Range<usize>);
}

/// Spans, or what they are made of: they are made where they are sent, not where runs are worked on.
pub enum Record {
    /// Intervals of a run.
    Intervals(Arc<RunTrace>, Vec<Interval>),
    /// A span.
    Span(Box<Span<'static>>),
    /// Makes a span.
    Later(Box<dyn FnOnce() -> Span<'static> + Send>),
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Intervals(_, intervals) => intervals.fmt(formatter),
            Record::Span(span) => span.fmt(formatter),
            Record::Later(_) => formatter.write_str("Later"),
        }
    }
}

impl Record {
    /// How many spans it is.
    pub fn spans(&self) -> usize {
        match self {
            Record::Intervals(_, intervals) => intervals.len(),
            Record::Span(_) | Record::Later(_) => 1,
        }
    }

    /// Makes its spans. `take` is not to wait for anything: whoever works on the run may need what is held meanwhile.
    pub fn make(self, mut take: impl FnMut(Span<'_>)) {
        match self {
            Record::Intervals(trace, intervals) => {
                for interval in &intervals {
                    take(trace.span_of(interval));
                }
            }
            Record::Span(span) => take(*span),
            Record::Later(make) => take(make()),
        }
    }
}

/// Records what happens in traces that are sampled.
#[derive(Debug)]
pub struct Tracer {
    sampler: Sampler,
    propagators: Propagators,
    sink: Arc<dyn Sink>,
    work_ms_min: u64,
    /// What runs are worked on for at this moment, where the host knows.
    causes: Mutex<BTreeMap<RunId, SpanId>>,
}

impl Tracer {
    /// A tracer whose spans go to `sink`. Turns and dispatches that take less than `work_ms_min` have no span of their own.
    pub fn new(export: &Export, sink: Arc<dyn Sink>, work_ms_min: u64) -> Tracer {
        Tracer {
            sampler: export.sampler,
            propagators: export.propagators,
            sink,
            work_ms_min,
            causes: Mutex::default(),
        }
    }

    /// Which headers carry a trace.
    pub fn propagators(&self) -> Propagators {
        self.propagators
    }

    /// Which traces are exported.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Notes that turns of `run` are part of a span of its trace, or no longer.
    pub fn set_cause(&self, run: RunId, cause: Option<SpanId>) {
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        match cause {
            Some(cause) => causes.insert(run, cause),
            None => causes.remove(&run),
        };
    }

    /// The span that turns of `run` are part of.
    pub(crate) fn cause(&self, run: RunId) -> Option<SpanId> {
        let causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        causes.get(&run).copied()
    }

    /// Where notes on runs are written.
    pub(crate) fn queue(&self) -> &Arc<Queue> {
        self.sink.queue()
    }

    /// Notes were written: so many spans waited before, and so many do now.
    pub(crate) fn noted(&self, waiting: Range<usize>) {
        self.sink.noted(waiting);
    }

    /// Hands spans over. Those of traces that are not exported are not to be recorded.
    pub fn record(&self, record: Record) {
        self.sink.take(record);
    }

    /// Hands a span over, if its trace is exported.
    pub fn record_span(&self, span: Span<'_>) {
        if span.context.is_sampled {
            self.sink.take(Record::Span(Box::new(span.into_owned())));
        }
    }

    /// Whether work that the host did between these times, a turn or a dispatch, has a span of its own.
    pub(crate) fn tells_of(&self, start: Timestamp, end: Timestamp) -> bool {
        end.millis_since(start) >= self.work_ms_min
    }
}
