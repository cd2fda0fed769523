//! What telemetry sees of the engine's work. Everything here happens after the fact: it decides nothing and cannot fail.

use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::{Carrier, Event, RunState};
use orchestrator_core::time::Timestamp;

use crate::drive::Session;
use crate::engine::Engine;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::ports::compute::Dispatch;
use crate::ports::{Clock, Compute, Ports, SessionCache, journal};
use crate::trace::interval::{Interval, Outcome, Phase, Upstreams};
use crate::trace::run::trace_id_of;
use crate::trace::span::Attribute;
use crate::trace::{Context, Record, RunTrace, Span, SpanId, SpanKind, Timeline, Tracer, Turn, Value, ids};

/// Who watches the engine. Nobody, unless a host says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    /// Records spans; `None`: there are no traces.
    pub tracer: Option<Arc<Tracer>>,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// What a session knows of the trace of its run, if it is exported.
#[derive(Debug, Clone)]
pub(crate) struct Tracing {
    trace: Arc<RunTrace>,
    timeline: Timeline,
}

/// Attempts that are being handed over.
pub(crate) struct Handed {
    began: Timestamp,
    attempts: Vec<(AttemptKey, Vec<Attribute>)>,
}

/// Work that the host did on a run.
#[derive(Debug, Clone)]
struct Work {
    trace: Arc<RunTrace>,
    part: u32,
    start: Timestamp,
    end: Timestamp,
}

impl Work {
    /// Its span, without what it belongs to.
    fn span(&self, id: SpanId, name: &'static str) -> Span {
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
        self.trace.span(id, None, name, &interval)
    }
}

impl Tracing {
    /// Takes in an event of the past, which was told when it happened.
    pub(crate) fn catch_up(&mut self, event: &Event, at: Timestamp, state: &RunState) {
        self.timeline.see(event, at, state, &mut |_| {});
    }
}

impl<P: Ports> Engine<P> {
    /// Begins to follow a run from its first event, if its trace is exported.
    pub(crate) fn begin_tracing(&self, state: &RunState) -> Option<Box<Tracing>> {
        let tracer = self.telemetry.tracer.as_deref()?;
        let trace = RunTrace::of(state, tracer.sampler());
        trace.is_sampled().then(|| {
            Box::new(Tracing {
                timeline: Timeline::new(state.submitted_at, state.workflow.tasks.len()),
                trace: Arc::new(trace),
            })
        })
    }

    /// Tells what an append has ended.
    pub(crate) fn observe(&self, session: &mut Session, at: Timestamp, events: &[Event]) {
        self.telemetry.metrics.appended(events, session.state(), at);
        let Some(tracer) = self.telemetry.tracer.as_deref() else {
            return;
        };
        if session.seq() == 1 && session.tracing.is_none() {
            session.tracing = self.begin_tracing(session.state());
        }
        // Taken out, so that the session can be looked at.
        let Some(mut tracing) = session.tracing.take() else {
            return;
        };
        let Tracing { trace, timeline } = &mut *tracing;
        let mut intervals = Vec::with_capacity(events.len());
        for event in events {
            timeline.see(event, at, session.state(), &mut |interval| {
                intervals.push(interval)
            });
        }
        if !intervals.is_empty() {
            tracer.record(vec![Record::Intervals(Arc::clone(trace), intervals)]);
        }
        session.tracing = Some(tracing);
    }

    /// Tells of a turn that appended something or failed. It began with the session's time and has just ended.
    pub(crate) fn observe_turn(&self, session: &Session, appended: usize, result: &Result<(), Error>) {
        match result {
            Ok(()) => {}
            Err(Error::Journal(journal::Error::Conflict { .. })) => self.telemetry.metrics.conflicted(),
            Err(_) => self.telemetry.metrics.failed(),
        }
        let (Some(tracer), Some(tracing)) = (self.telemetry.tracer.as_deref(), &session.tracing) else {
            return;
        };
        if appended == 0 && result.is_ok() {
            return;
        }
        let work = self.work(session, tracing);
        if !tracer.tells_of(work.start, work.end) {
            return;
        }
        let (run, seq, use_case) = (session.state().id(), session.seq(), session.use_case);
        let cause = tracer.cause(run);
        let error = result.as_ref().err().map(ToString::to_string);
        let make = move || {
            let mut span = work.span(ids::turn(run, seq), use_case);
            span.parent = Some(cause.unwrap_or_else(|| ids::part(run, work.part)));
            span.attributes.extend([
                ("journal.seq", Value::from(seq)),
                ("journal.events", appended.into()),
            ]);
            span.error = error;
            span
        };
        tracer.record(vec![Record::Later(Box::new(make))]);
    }

    /// The place of a run that is kept in its trace; `None` when it is not kept, or there are no traces.
    pub fn trace_of(&self, run: RunId) -> Option<Context> {
        let tracer = self.telemetry.tracer.as_deref()?;
        let cache = self.ports.session_cache();
        let session = cache.take(run)?;
        let part = session
            .tracing
            .as_ref()
            .map_or(0, |tracing| tracing.timeline.part());
        let context = RunTrace::of(session.state(), tracer.sampler()).part(part);
        cache.put(session);
        Some(context)
    }

    /// The trace of a run that is kept, for logs.
    pub fn trace_id(&self, run: RunId) -> Option<String> {
        let cache = self.ports.session_cache();
        let session = cache.take(run)?;
        let trace = trace_id_of(&session.state().submission);
        cache.put(session);
        Some(trace.to_string())
    }

    /// The turn that is under way, as a place in the trace of its run.
    pub(crate) fn turn_of<'a>(&self, session: &'a Session) -> Option<Turn<'a>> {
        let tracing = session.tracing.as_ref()?;
        Some(tracing.trace.turn(session.seq()))
    }

    /// Notes which attempts are about to be handed over, if that is to be told.
    pub(crate) fn hands_over(&self, session: &Session, attempts: &[Dispatch]) -> Option<Handed> {
        let compute = self.ports.compute();
        session.tracing.as_ref().map(|_| Handed {
            began: self.ports.clock().now(),
            attempts: attempts
                .iter()
                .map(|attempt| (attempt.key, compute.way(attempt)))
                .collect(),
        })
    }

    /// Tells how long it took to hand them over.
    pub(crate) fn observe_dispatch(&self, session: &Session, handed: Option<Handed>) {
        let (Some(tracer), Some(tracing), Some(handed)) =
            (self.telemetry.tracer.as_deref(), &session.tracing, handed)
        else {
            return;
        };
        let (run, seq) = (session.state().id(), session.seq());
        let work = Work {
            start: handed.began,
            ..self.work(session, tracing)
        };
        if !tracer.tells_of(work.start, work.end) {
            return;
        }
        let record = |(key, way): (AttemptKey, Vec<Attribute>)| {
            let (work, task) = (work.clone(), session.state().name_of(key.node));
            let make = move || {
                let id = ids::within_turn(run, seq, "dispatch", Some(key));
                let mut span = work.span(id, "dispatch");
                span.kind = SpanKind::Producer;
                span.parent = Some(ids::attempt(key));
                span.links = vec![work.trace.at(ids::turn(run, seq))];
                span.attributes.extend([
                    ("task.id", Value::from(task)),
                    ("task.epoch", key.epoch.into()),
                    ("task.attempt", key.attempt.into()),
                ]);
                span.attributes.extend(way);
                span
            };
            Record::Later(Box::new(make))
        };
        tracer.record(handed.attempts.into_iter().map(record).collect());
    }

    fn work(&self, session: &Session, tracing: &Tracing) -> Work {
        let now = self.ports.clock().now();
        Work {
            trace: Arc::clone(&tracing.trace),
            part: tracing.timeline.part(),
            start: session.now(),
            end: now.max(session.now()),
        }
    }

    /// The trace context an agent gets: its attempt's. Without traces, what came with the request is handed on.
    pub(crate) fn carrier_of(&self, session: &Session, key: AttemptKey) -> Carrier {
        let submission = &session.state().submission;
        let context: Option<Context> = match (&session.tracing, self.telemetry.tracer.as_deref()) {
            (_, None) => None,
            (Some(tracing), _) => Some(tracing.trace.attempt(key)),
            (None, Some(tracer)) => Some(RunTrace::of(session.state(), tracer.sampler()).attempt(key)),
        };
        Carrier {
            parent: match context {
                Some(context) => Some(context.traceparent()),
                None => submission.trace.parent.clone(),
            },
            ..submission.trace.clone()
        }
    }
}
