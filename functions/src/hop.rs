//! The way of messages through a queue, as a span: from the turn that sent them to the turn that takes them.

use std::collections::BTreeSet;

use orchestrator_aws::clock::SystemClock;
use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::trace::span::{LINKS_MAX, fixed};
use orchestrator_engine::trace::{Context, Span, SpanId, SpanKind, Value, ids};

use crate::deliveries::Delivery;
use crate::start::Function;

/// Messages of one run on their way.
pub(crate) struct Hop {
    id: SpanId,
    run: RunId,
    queue: String,
    began: Timestamp,
    waited_ms: u64,
    ids: Vec<String>,
    senders: Vec<Context>,
    invocation: Option<Context>,
    /// The trace of the run when the messages came: a run that ends with them is not kept.
    known: Option<Context>,
}

impl Hop {
    /// The messages have come.
    pub(crate) fn begin(
        function: &Function,
        queue_url: &str,
        run: RunId,
        deliveries: &[&Delivery],
        invocation: Option<Context>,
    ) -> Option<Hop> {
        let tracer = function.telemetry.engine.tracer.as_deref()?;
        let began = SystemClock.now();
        let first = deliveries.first().map_or("", |delivery| &delivery.id);
        let id = ids::delivery(run, first, began);
        tracer.set_cause(run, Some(id));
        let sent = deliveries.iter().filter_map(|delivery| delivery.sent_at).min();
        let senders: BTreeSet<_> = deliveries
            .iter()
            .filter_map(|delivery| delivery.sender)
            .map(|sender| (sender.trace, sender.span, sender.is_sampled))
            .collect();
        Some(Hop {
            id,
            run,
            queue: queue_url.rsplit('/').next().unwrap_or_default().to_owned(),
            began,
            waited_ms: sent.map_or(0, |sent| began.millis_since(Timestamp(sent))),
            ids: deliveries.iter().map(|delivery| delivery.id.clone()).collect(),
            senders: senders
                .into_iter()
                .map(|(trace, span, is_sampled)| Context {
                    trace,
                    span,
                    is_sampled,
                })
                .collect(),
            invocation,
            known: function.engine.trace_of(run),
        })
    }

    /// They have been handled. The span belongs to the trace of their run.
    pub(crate) fn end(self, function: &Function, is_done: bool) {
        let Some(tracer) = function.telemetry.engine.tracer.as_deref() else {
            return;
        };
        let hop = self;
        let run = hop.run;
        tracer.set_cause(run, None);
        // A run that was never stored has no trace; one that has just ended is known from before, or by its sender.
        let known = function.engine.trace_of(run).or(hop.known);
        let Some(whole) = known.or_else(|| hop.senders.first().cloned()) else {
            return;
        };
        // Messages of one sender in the same trace have it as their parent; several are linked.
        let (own, others): (Vec<Context>, Vec<Context>) = hop
            .senders
            .into_iter()
            .partition(|sender| sender.trace == whole.trace);
        let parent = own.first().map_or(whole.span, |sender| sender.span);
        let links = own.into_iter().skip(1).chain(others).chain(hop.invocation);
        let message = match hop.ids.as_slice() {
            [only] => ("messaging.message.id", Value::from(only.clone())),
            several => ("messaging.batch.message_count", several.len().into()),
        };
        tracer.record_span(Span {
            context: Context {
                span: hop.id,
                ..whole
            },
            parent: Some(parent),
            state: None,
            name: format!("process {}", hop.queue).into(),
            kind: SpanKind::Consumer,
            start: hop.began,
            end: SystemClock.now().max(hop.began),
            shared: Default::default(),
            attributes: vec![
                ("run.id", run.to_string().into()),
                ("messaging.system", fixed("aws_sqs")),
                ("messaging.operation.name", fixed("process")),
                ("messaging.operation.type", fixed("process")),
                ("messaging.destination.name", hop.queue.into()),
                ("messaging.wait_ms", hop.waited_ms.into()),
                message,
            ],
            links: links.take(LINKS_MAX).collect(),
            error: (!is_done).then(|| "the messages will be delivered again".into()),
        });
    }
}
