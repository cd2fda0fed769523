//! The host's own work on a run, which is not in its journal.

use orchestrator_core::time::Timestamp;

use super::context::SpanId;
use super::ids;
use super::interval::{Interval, Outcome, Phase, Upstreams};
use super::run::RunTrace;
use super::span::{Span, Value};

/// Work that took some time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    /// The part of the run.
    pub part: u32,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
}

/// A turn that appended something or failed.
#[derive(Debug)]
pub(crate) struct Turned {
    /// How long it took.
    pub work: Work,
    /// The append it made, or would have made.
    pub seq: u64,
    /// What it was for.
    pub use_case: &'static str,
    /// Events it appended.
    pub events: u32,
    /// What most turns do not have.
    pub rare: Option<Box<Rare>>,
}

/// What few turns of the embedded host have.
#[derive(Debug)]
pub(crate) struct Rare {
    /// The span it is part of, if that is not its part of the run.
    pub cause: Option<SpanId>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Work {
    /// Its span, without what it belongs to.
    pub(crate) fn span(&self, trace: &RunTrace, id: SpanId, name: &'static str) -> Span {
        let interval = Interval {
            phase: Phase::Run,
            place: None,
            part: self.part,
            start: self.start,
            end: self.end,
            started_at: None,
            outcome: Outcome::Over,
            is_late: false,
            choice: None,
            upstream: Upstreams::Untold,
            name: None,
        };
        trace.span(id, None, name, &interval)
    }
}

impl Turned {
    pub(super) fn span(&self, trace: &RunTrace) -> Span {
        let run = trace.run();
        let mut span = self.work.span(trace, ids::turn(run, self.seq), self.use_case);
        let (cause, error) = match self.rare.as_deref() {
            Some(rare) => (rare.cause, rare.error.clone()),
            None => (None, None),
        };
        span.parent = Some(cause.unwrap_or_else(|| ids::part(run, self.work.part)));
        span.attributes.extend([
            ("journal.seq", Value::from(self.seq)),
            ("journal.events", self.events.into()),
        ]);
        span.error = error;
        span
    }
}
