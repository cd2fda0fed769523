//! AWS X-Ray's header and its conversion from and to a trace context.
//!
//! `X-Amzn-Trace-Id` and the SQS attribute `AWSTraceHeader` read `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`,
//! see <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.

use super::context::{Context, SpanId, TraceId, lower_hex};

/// The header of HTTP requests, in lower case.
pub const HEADER: &str = "x-amzn-trace-id";

/// Reads a header. `None` when it names no trace or no parent: then there is nothing to be a child of.
pub fn parse(header: &str) -> Option<Context> {
    let (mut trace, mut span, mut is_sampled) = (None, None, false);
    for field in header.split(';') {
        let Some((name, value)) = field.trim().split_once('=') else {
            continue;
        };
        match name {
            "Root" => trace = parse_root(value),
            "Parent" => span = lower_hex(value).map(SpanId),
            "Sampled" => is_sampled = value == "1",
            // `Self`, `Lineage` and what may come.
            _ => {}
        }
    }
    let trace = trace.filter(|trace: &TraceId| trace.0 != [0; 16])?;
    let span = span.filter(|span: &SpanId| span.0 != [0; 8])?;
    Some(Context {
        trace,
        span,
        is_sampled,
    })
}

/// `1-8 hex-24 hex`.
fn parse_root(value: &str) -> Option<TraceId> {
    let (seconds, rest) = value.strip_prefix("1-")?.split_once('-')?;
    let mut id = [0; 16];
    id[..4].copy_from_slice(&lower_hex::<4>(seconds)?);
    id[4..].copy_from_slice(&lower_hex::<12>(rest)?);
    Some(TraceId(id))
}

/// As a header.
pub fn header(context: &Context) -> String {
    let trace = context.trace.to_string();
    let (seconds, rest) = trace.split_at(8);
    format!(
        "Root=1-{seconds}-{rest};Parent={};Sampled={}",
        context.span,
        u8::from(context.is_sampled)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded: API Gateway, Lambda with lineage, an SQS message, a load balancer that only names a root.
    #[test]
    fn recorded_headers_round_trip() {
        let recorded = [
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
                "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
            ),
            (
                "Root=1-66b1a2f3-0a1b2c3d4e5f60718293a4b5;Parent=2f1e0d9c8b7a6950;Sampled=0;Lineage=1:a87bd80c:0",
                "00-66b1a2f30a1b2c3d4e5f60718293a4b5-2f1e0d9c8b7a6950-00",
            ),
            (
                "Sampled=1;Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad",
                "00-67891233abcdef012345678912345678-463ac35c9f6413ad-01",
            ),
        ];
        for (text, traceparent) in recorded {
            let context = parse(text).unwrap();
            assert_eq!(context.traceparent(), traceparent);
            assert_eq!(parse(&header(&context)), Some(context));
        }
        assert_eq!(
            header(&parse(recorded[0].0).unwrap()),
            recorded[0].0,
            "written as AWS writes it"
        );
    }

    #[test]
    fn headers_without_a_parent_or_a_root_are_nobodys() {
        for text in [
            "",
            "Root=1-67891233-abcdef012345678912345678",
            "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678",
            "Parent=463ac35c9f6413ad;Sampled=1",
            "Root=2-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad",
            "Root=1-6789123-abcdef012345678912345678;Parent=463ac35c9f6413ad",
            "Root=1-00000000-000000000000000000000000;Parent=463ac35c9f6413ad",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
