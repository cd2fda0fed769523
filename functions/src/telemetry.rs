//! What a function tells about its invocations: spans.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime::Context as LambdaContext;
use orchestrator_aws::clients::connector;
use orchestrator_aws::clock::SystemClock;
use orchestrator_aws::traces::Traces;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::observe;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::settings;
use orchestrator_engine::trace::span::{Attribute, fixed};
use orchestrator_engine::trace::{
    Context, Propagators, Sink, Span, SpanId, SpanKind, Tracer, Value, export, ids, xray,
};

use crate::gateway::GatewayRequest;

/// Watches the invocations of this process.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// Watches the engine.
    pub engine: observe::Telemetry,
    traces: Option<Arc<Traces>>,
    /// Name of the function.
    pub function: Arc<str>,
    /// Name of the service in traces; `None` when they are not exported.
    pub service_name: Option<String>,
    is_warm: Arc<AtomicBool>,
}

/// What called a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A request.
    Http,
    /// Messages of a queue, or an event.
    PubSub,
    /// The schedule.
    Timer,
}

impl Trigger {
    /// The name the semantic conventions give it.
    fn as_str(self) -> &'static str {
        match self {
            Trigger::Http => "http",
            Trigger::PubSub => "pubsub",
            Trigger::Timer => "timer",
        }
    }

    fn kind(self) -> SpanKind {
        match self {
            Trigger::Http => SpanKind::Server,
            Trigger::PubSub => SpanKind::Consumer,
            Trigger::Timer => SpanKind::Internal,
        }
    }
}

/// An invocation under way.
#[derive(Debug)]
pub struct Invocation {
    began: Timestamp,
    place: Option<(Context, Option<SpanId>)>,
    is_cold: bool,
}

impl Telemetry {
    /// Reads the environment. What cannot be used is told in the log and left out.
    pub fn start(settings: &settings::Telemetry, function: &str) -> Telemetry {
        let mut warnings = Vec::new();
        let export = export::resolve(settings, Propagators::ON_AWS, &variable, &mut warnings);
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let export = export.map(|mut export| {
            export.resource.set("cloud.provider", "aws".to_owned());
            export.resource.set("cloud.platform", "aws_lambda".to_owned());
            export.resource.set("faas.name", function.to_owned());
            export
        });
        let service_name = export
            .as_ref()
            .and_then(|export| export.resource.get("service.name"))
            .map(str::to_owned);
        let traces = export
            .clone()
            .map(|export| Arc::new(Traces::new(export, connector())));
        let tracer = export.zip(traces.clone()).map(|(export, traces)| {
            let sink: Arc<dyn Sink> = traces;
            Arc::new(Tracer::new(&export, sink, 0))
        });
        Telemetry {
            engine: observe::Telemetry {
                tracer,
                ..observe::Telemetry::default()
            },
            traces,
            function: function.into(),
            service_name,
            is_warm: Arc::default(),
        }
    }

    /// What a request says of the trace it is part of.
    pub fn caller(&self, request: &GatewayRequest) -> Option<Context> {
        let tracer = self.engine.tracer.as_deref()?;
        let pairs = request.headers.iter().filter_map(|(name, value)| {
            let name = name.parse::<HeaderName>().ok()?;
            Some((name, value.parse::<HeaderValue>().ok()?))
        });
        let headers: HeaderMap = pairs.collect();
        let carrier = tracer.propagators().extract(&headers);
        Context::parse(carrier.parent.as_deref()?)
    }

    /// An invocation begins: a child of its caller's span, or of the segment that X-Ray has opened for it, if it keeps that;
    /// else the beginning of a trace.
    pub fn begin(&self, context: &LambdaContext, caller: Option<Context>) -> Invocation {
        let place = self.engine.tracer.as_deref().map(|tracer| {
            let segment = || {
                let header = context.xray_trace_id.as_deref();
                let header = header.filter(|_| tracer.propagators().xray)?;
                xray::parse(header).filter(|segment| segment.is_sampled)
            };
            let parent = caller.or_else(segment);
            let id = SystemClock.new_run_id();
            let trace = parent.map_or_else(|| ids::trace_of(id), |parent| parent.trace);
            let decision = parent.map(|parent| parent.is_sampled);
            let own = Context {
                trace,
                span: ids::request(id),
                is_sampled: tracer.sampler().samples(trace, decision),
            };
            (own, parent.map(|parent| parent.span))
        });
        Invocation {
            began: SystemClock.now(),
            place,
            is_cold: !self.is_warm.swap(true, Ordering::Relaxed),
        }
    }

    /// An invocation ends: its span is recorded and everything is sent.
    pub async fn end(&self, invocation: Invocation, trigger: Trigger, context: &LambdaContext) {
        if let (Some(tracer), Some((own, parent))) = (self.engine.tracer.as_deref(), invocation.place) {
            let attributes: Vec<Attribute<'_>> = vec![
                ("faas.name", Value::from(&*self.function)),
                ("faas.trigger", fixed(trigger.as_str())),
                ("faas.invocation_id", context.request_id.clone().into()),
                ("faas.coldstart", invocation.is_cold.into()),
                ("cloud.resource_id", context.invoked_function_arn.clone().into()),
            ];
            tracer.record_span(Span {
                context: own,
                parent,
                state: None,
                name: self.function.to_string().into(),
                kind: trigger.kind(),
                start: invocation.began,
                end: SystemClock.now().max(invocation.began),
                shared: Default::default(),
                attributes,
                links: Vec::new(),
                error: None,
            });
        }
        let now = SystemClock.now();
        if let Some(traces) = &self.traces {
            traces.flush(now).await;
        }
    }
}

impl Invocation {
    /// Its place in a trace, if there are traces.
    pub fn context(&self) -> Option<Context> {
        self.place.map(|(context, _)| context)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}
