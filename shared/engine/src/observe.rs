//! What telemetry sees of the engine's work. Everything here happens after the fact: it decides nothing and cannot fail.

use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::{Event, RunState};
use orchestrator_core::time::Timestamp;

use crate::drive::Session;
use crate::engine::Engine;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::ports::compute::Dispatch;
use crate::ports::{Clock, Compute, Ports, SessionCache, journal};
use crate::trace::follow::Following;
use crate::trace::parts::Parts;
use crate::trace::run::trace_id_of;
use crate::trace::span::Attribute;
use crate::trace::turn::Worked;
use crate::trace::{
    Context, Mark, Parent, Record, RunTrace, Span, SpanId, SpanKind, TraceId, Tracer, Turn, Value, ids,
};

/// Who watches the engine. Nobody, unless a host says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    /// Records spans; `None`: there are no traces.
    pub tracer: Option<Arc<Tracer>>,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// What a session knows of the trace of its run, if it is exported.
#[derive(Debug)]
pub(crate) struct Tracing {
    following: Following,
    /// The trace, as `following` has it too: every attempt asks, and that is often in no cache.
    trace: TraceId,
    parts: Parts,
}

/// Attempts that are being handed over.
pub(crate) struct Handed {
    began: Timestamp,
    attempts: Vec<(AttemptKey, Vec<Attribute<'static>>)>,
}

/// Work that the host did on a run.
#[derive(Debug, Clone)]
struct Work {
    trace: Arc<RunTrace>,
    start: Timestamp,
    end: Timestamp,
}

impl Work {
    /// Its span, without what it belongs to.
    fn span(&self, id: SpanId, name: &'static str) -> Span<'_> {
        self.trace.span(id, None, name, self.start..self.end)
    }
}

impl Tracing {
    /// Takes in an event of the past, which was told when it happened.
    pub(crate) fn catch_up(&mut self, event: &Event, at: Timestamp) {
        if let Some(mark) = Mark::of(event) {
            self.parts.see(&mark);
            self.following.catch_up(mark, at);
        }
    }
}

impl<P: Ports> Engine<P> {
    /// Begins to follow a run from its first event, if its trace is exported.
    pub(crate) fn begin_tracing(&self, state: &RunState) -> Option<Tracing> {
        let tracer = self.telemetry.tracer.as_deref()?;
        let trace = RunTrace::of(state, tracer.sampler());
        trace.is_sampled().then(|| Tracing {
            trace: trace.trace_id(),
            following: Following::new(Arc::new(trace), Arc::clone(tracer.queue())),
            parts: Parts::default(),
        })
    }

    /// Notes an append: what has ended with it is told by whoever exports.
    pub(crate) fn observe(&self, session: &mut Session, at: Timestamp, events: &[Event]) {
        self.telemetry.metrics.appended(events, session.state(), at);
        let Some(tracer) = self.telemetry.tracer.as_deref() else {
            return;
        };
        if session.seq() == 1 && session.tracing.is_none() {
            session.tracing = self.begin_tracing(session.state());
        }
        let Some(tracing) = session.tracing.as_mut() else {
            return;
        };
        let Tracing { following, parts, .. } = tracing;
        tracer.noted(following.note(events, at, |mark| parts.see(mark)));
    }

    /// Tells of a turn that appended something or failed. It began with the session's time and has just ended.
    pub(crate) fn observe_turn(&self, session: &mut Session, appended: usize, result: &Result<(), Error>) {
        match result {
            Ok(()) => {}
            Err(Error::Journal(journal::Error::Conflict { .. })) => self.telemetry.metrics.conflicted(),
            Err(_) => self.telemetry.metrics.failed(),
        }
        let (run, seq, start) = (session.state().id(), session.seq(), session.now());
        let use_case = session.use_case;
        let (Some(tracer), Some(tracing)) = (self.telemetry.tracer.as_deref(), session.tracing.as_mut())
        else {
            return;
        };
        if appended == 0 && result.is_ok() {
            return;
        }
        let end = self.ports.clock().now().max(start);
        if !tracer.tells_of(start, end) {
            return;
        }
        let turn = Worked::new(use_case, seq, appended, end.millis_since(start));
        let cause = tracer.cause(run);
        let error = result.as_ref().err().map(ToString::to_string);
        if cause.is_none() && error.is_none() {
            return tracer.noted(tracing.following.note_turn(start, turn));
        }
        let (trace, part) = (Arc::clone(tracing.following.trace()), tracing.parts.number());
        let make = move || {
            let span = trace.span_of_turn(start, part, &turn);
            Span {
                parent: cause.or(span.parent),
                error: error.map(Into::into),
                ..span.into_owned()
            }
        };
        tracer.record(Record::Later(Box::new(make)));
    }

    /// The place of a run that is kept in its trace; `None` when it is not kept, or there are no traces.
    pub fn trace_of(&self, run: RunId) -> Option<Context> {
        let tracer = self.telemetry.tracer.as_deref()?;
        let cache = self.ports.session_cache();
        let session = cache.take(run)?;
        let part = session
            .tracing
            .as_ref()
            .map_or(0, |tracing| tracing.parts.number());
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
        Some(tracing.following.trace().turn(session.seq()))
    }

    /// Notes which attempts are about to be handed over, if that is to be told.
    pub(crate) fn hands_over(&self, session: &Session, attempts: &[Dispatch]) -> Option<Handed> {
        session.tracing.as_ref()?;
        let compute = self.ports.compute();
        let way = |attempt: &Dispatch| Some((attempt.key, compute.way(attempt)?));
        let attempts: Vec<_> = attempts.iter().filter_map(way).collect();
        (!attempts.is_empty()).then(|| Handed {
            began: self.ports.clock().now(),
            attempts,
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
        let Some(work) = self.work(session, tracing, tracer, handed.began) else {
            return;
        };
        for (key, way) in handed.attempts {
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
                span.into_owned()
            };
            tracer.record(Record::Later(Box::new(make)));
        }
    }

    /// Work since `start` that has just ended, if it is told of.
    fn work(&self, session: &Session, tracing: &Tracing, tracer: &Tracer, start: Timestamp) -> Option<Work> {
        let end = self.ports.clock().now().max(session.now());
        tracer.tells_of(start, end).then(|| Work {
            trace: Arc::clone(tracing.following.trace()),
            start,
            end,
        })
    }

    /// The trace context an agent gets: its attempt's. Without traces, what came with the request is handed on.
    pub(crate) fn parent_of(&self, session: &Session, key: AttemptKey) -> Option<Parent> {
        let Some(tracer) = self.telemetry.tracer.as_deref() else {
            let given = session.state().submission.trace.parent.clone();
            return given.map(Parent::Given);
        };
        let attempt = match &session.tracing {
            Some(tracing) => Parent::Attempt {
                trace: tracing.trace,
                key,
                is_sampled: true,
            },
            None => RunTrace::of(session.state(), tracer.sampler()).attempt(key),
        };
        Some(attempt)
    }
}
