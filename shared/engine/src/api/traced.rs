//! One request as a span, and the trace it is part of.

use http::request::Parts;
use http::{Method, StatusCode};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Carrier, RunState};
use orchestrator_core::time::Timestamp;

use super::backend::Backend;
use super::query::short;
use super::response::Answer;
use super::route;
use crate::trace::span::{Attribute, fixed};
use crate::trace::{Context, Propagators, RunTrace, Span, SpanId, SpanKind, Tracer, Value, ids};

/// A request under way.
pub(super) struct Traced<'a> {
    inbound: Carrier,
    /// `None`: there are no traces.
    own: Option<Own<'a>>,
    id: RunId,
}

/// The span of the request.
struct Own<'a> {
    tracer: &'a Tracer,
    context: Context,
    parent: Option<SpanId>,
    began: Timestamp,
}

impl<'a> Traced<'a> {
    /// The request with this id begins.
    pub(super) fn begin<B: Backend>(backend: &'a B, id: RunId, parts: &Parts) -> Traced<'a> {
        let Some(tracer) = backend.tracer() else {
            return Traced {
                inbound: Propagators::default().extract(&parts.headers),
                own: None,
                id,
            };
        };
        let inbound = tracer.propagators().extract(&parts.headers);
        let parent = inbound.parent.as_deref().and_then(Context::parse);
        let trace = parent.map_or_else(|| ids::trace_of(id), |parent| parent.trace);
        let context = Context {
            trace,
            span: ids::request(id),
            is_sampled: tracer
                .sampler()
                .samples(trace, parent.map(|parent| parent.is_sampled)),
        };
        Traced {
            id,
            inbound,
            own: Some(Own {
                tracer,
                context,
                parent: parent.map(|parent| parent.span),
                began: backend.now(),
            }),
        }
    }

    /// What a run that this request starts is part of.
    pub(super) fn carrier(&self) -> Carrier {
        let parent = match &self.own {
            Some(own) => Some(own.context.traceparent()),
            None => self.inbound.parent.clone(),
        };
        Carrier {
            parent,
            ..self.inbound.clone()
        }
    }

    /// The request has been answered.
    pub(super) async fn end<B: Backend>(self, backend: &B, parts: &Parts, answer: &Answer) {
        let Some(mut own) = self.own else { return };
        let matched = route::find(&parts.method, parts.uri.path()).ok();
        let run: Option<RunId> = match answer.status() {
            StatusCode::CREATED => Some(self.id),
            _ => matched.as_ref().and_then(|matched| matched.run().parse().ok()),
        };
        // What an operator or an agent does to a run belongs to its trace. Reading does not.
        if own.parent.is_none()
            && parts.method == Method::POST
            && answer.status().is_success()
            && answer.status() != StatusCode::CREATED
            && let Some(run) = run
        {
            own.join(backend, run).await;
        }
        if !own.context.is_sampled {
            return;
        }
        let method = short(parts.method.as_str());
        let route = matched.as_ref().map(|matched| matched.route.path);
        let status = answer.status().as_u16();
        let mut attributes: Vec<Attribute<'_>> = vec![
            ("http.request.method", method.clone().into()),
            ("url.path", short(parts.uri.path()).into()),
            ("url.scheme", fixed("http")),
            ("http.response.status_code", u32::from(status).into()),
        ];
        attributes.extend(route.map(|route| ("http.route", fixed(route))));
        attributes.extend(run.map(|run| ("run.id", Value::from(run.to_string()))));
        let task = matched.as_ref().map(|matched| matched.task());
        let task = task.filter(|task| !task.is_empty());
        attributes.extend(task.map(|task| ("task.id", short(task).into())));
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        attributes.extend(header("user-agent").map(|agent| ("user_agent.original", agent.into())));
        attributes.extend(header("x-correlation-id").map(|id| ("correlation.id", id.into())));
        if status >= 400 {
            attributes.push(("error.type", status.to_string().into()));
        }
        own.tracer.record_span(Span {
            context: own.context,
            parent: own.parent,
            state: self.inbound.state.map(Into::into),
            name: match route {
                Some(route) => format!("{method} {route}").into(),
                None => method.into_owned().into(),
            },
            kind: SpanKind::Server,
            start: own.began,
            end: backend.now().max(own.began),
            shared: Default::default(),
            attributes,
            links: Vec::new(),
            // By the conventions, what the caller did wrong is no error of the server's.
            error: (status >= 500).then(|| answer.status().to_string().into()),
        });
    }
}

impl Own<'_> {
    /// Makes the span part of the run's trace.
    async fn join<B: Backend>(&mut self, backend: &B, run: RunId) {
        let sampler = *self.tracer.sampler();
        let look = move |state: &RunState, _| RunTrace::of(state, &sampler).part(0);
        // A run that cannot be read now leaves the request in a trace of its own.
        if let Ok(context) = backend.inspect(run, look).await {
            self.context = Context {
                span: self.context.span,
                ..context
            };
            self.parent = Some(context.span);
        }
    }
}
