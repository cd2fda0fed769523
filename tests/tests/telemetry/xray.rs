//! Our X-Ray header beside that of `opentelemetry-aws`.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry_aws::trace::XrayPropagator;
use orchestrator_engine::trace::{Context, xray};

/// Recorded from an API, a queue and a function.
const RECORDED: [&str; 3] = [
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    "Root=1-66b1a2f3-0a1b2c3d4e5f60718293a4b5;Parent=2f1e0d9c8b7a6950;Sampled=0;Lineage=1:a87bd80c:0",
    "Sampled=1;Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad",
];

#[test]
fn headers_of_x_ray_are_read_as_its_own_propagator_reads_them() {
    for header in RECORDED {
        let carrier = HashMap::from([(xray::HEADER.to_owned(), header.to_owned())]);
        let theirs = XrayPropagator::default().extract(&carrier);
        let theirs = theirs.span().span_context().clone();
        let ours = xray::parse(header).expect("it is a header");
        assert_eq!(ours.trace.0, theirs.trace_id().to_bytes(), "{header}");
        assert_eq!(ours.span.0, theirs.span_id().to_bytes(), "{header}");
        assert_eq!(ours.is_sampled, theirs.is_sampled(), "{header}");
    }
}

#[test]
fn headers_of_ours_are_read_by_x_rays_propagator() {
    let ours = Context::parse("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01").expect("a context");
    let carrier = HashMap::from([(xray::HEADER.to_owned(), xray::header(&ours))]);
    let read = XrayPropagator::default().extract(&carrier);
    let expected = SpanContext::new(
        TraceId::from_bytes(ours.trace.0),
        SpanId::from_bytes(ours.span.0),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    let read = read.span().span_context().clone();
    assert_eq!(
        (read.trace_id(), read.span_id(), read.is_sampled()),
        (expected.trace_id(), expected.span_id(), true)
    );
}
