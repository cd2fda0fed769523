//! The form in which spans are sent: OTLP 1.x, protocol buffers over HTTP.
//!
//! The messages are few and stable, <https://github.com/open-telemetry/opentelemetry-proto>, so they are written by hand: the
//! SDK with its exporters would be more than half of what a newcomer compiles. Tests send them to a real receiver.

use orchestrator_core::time::Timestamp;

use super::protobuf::{Message, Open};
use super::span::{Attribute, Span, Value};

/// Media type of the requests.
pub const CONTENT_TYPE: &str = "application/x-protobuf";

/// Version of the semantic conventions that attributes follow.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";
/// Who makes the spans.
const SCOPE: &str = "master-orchestrator";

/// Who exports: attributes of the resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resource {
    attributes: Vec<(String, String)>,
}

impl Resource {
    /// A resource with these attributes; the last of those with the same name counts.
    pub fn new(attributes: impl IntoIterator<Item = (String, String)>) -> Resource {
        let mut resource = Resource::default();
        for (name, value) in attributes {
            resource.set(&name, value);
        }
        resource
    }

    /// Sets an attribute.
    pub fn set(&mut self, name: &str, value: String) {
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.push((name.to_owned(), value));
    }

    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `Resource`
    pub(crate) fn write(&self, message: &mut Message) {
        for (name, value) in &self.attributes {
            message.message(1, |pair| {
                pair.bytes(1, name.as_bytes());
                pair.message(2, |any| any.chosen_bytes(1, value.as_bytes()));
            });
        }
    }
}

/// An `ExportTraceServiceRequest` that is being written.
#[derive(Debug)]
pub struct Request {
    message: Message,
    resource_spans: Open,
    scope_spans: Open,
    spans: usize,
}

impl Request {
    /// A request without spans, in memory that may have held another.
    pub fn new(resource: &Resource, memory: Vec<u8>) -> Request {
        // A full one has hundreds of thousands of bytes.
        const ROOM: usize = 3;
        let mut message = Message::new(memory);
        let resource_spans = message.open(ROOM, 1);
        message.message(1, |message| resource.write(message));
        let scope_spans = message.open(ROOM, 2);
        message.message(1, scope);
        Request {
            message,
            resource_spans,
            scope_spans,
            spans: 0,
        }
    }

    /// Adds a span.
    pub fn add(&mut self, span: &Span<'_>) {
        // It has hundreds of bytes.
        const ROOM: usize = 2;
        self.message
            .message_with_room(ROOM, 2, |message| write_span(message, span));
        self.spans += 1;
    }

    /// How many spans it has.
    pub fn spans(&self) -> usize {
        self.spans
    }

    /// The request, to be sent.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.message.close(self.scope_spans);
        self.message.bytes(3, SCHEMA_URL.as_bytes());
        self.message.close(self.resource_spans);
        self.message.into_bytes()
    }
}

/// `InstrumentationScope`
pub(crate) fn scope(message: &mut Message) {
    message.bytes(1, SCOPE.as_bytes());
    message.bytes(2, env!("CARGO_PKG_VERSION").as_bytes());
}

fn write_span(message: &mut Message, span: &Span<'_>) {
    /// `SPAN_FLAGS_...`: the lowest eight bits are those of the W3C trace flags.
    const SAMPLED: u32 = 1;
    /// `STATUS_CODE_ERROR`.
    const ERROR: u64 = 2;
    message.bytes(1, &span.context.trace.0);
    message.bytes(2, &span.context.span.0);
    message.bytes(3, span.state.as_deref().unwrap_or_default().as_bytes());
    if let Some(parent) = span.parent {
        message.bytes(4, &parent.0);
    }
    message.text_of(5, [span.name.0, &span.name.1]);
    message.varint(6, span.kind as u64);
    message.fixed64(7, nanos(span.start));
    message.fixed64(8, nanos(span.end));
    for attributes in &span.shared {
        message.fields(attributes);
    }
    write_attributes(message, &span.attributes);
    for link in &span.links {
        message.message(13, |message| {
            message.bytes(1, &link.trace.0);
            message.bytes(2, &link.span.0);
            message.fixed32(6, u32::from(link.is_sampled));
        });
    }
    if let Some(error) = &span.error {
        message.message(15, |status| {
            status.bytes(2, error.as_bytes());
            status.varint(3, ERROR);
        });
    }
    message.fixed32(16, SAMPLED);
}

/// Attributes of a span, written on their own: every span that has them takes them in as they are.
pub fn encode(attributes: &[Attribute<'_>]) -> Vec<u8> {
    let mut message = Message::default();
    write_attributes(&mut message, attributes);
    message.into_bytes()
}

/// `KeyValue`s
fn write_attributes(message: &mut Message, attributes: &[Attribute<'_>]) {
    for (name, value) in attributes {
        message.message(9, |pair| {
            pair.bytes(1, name.as_bytes());
            pair.message(2, |any| write_value(any, value));
        });
    }
}

/// `AnyValue`
fn write_value(message: &mut Message, value: &Value<'_>) {
    match value {
        Value::Text(text) => message.chosen_bytes(1, text.as_bytes()),
        Value::Flag(flag) => message.chosen_varint(2, u64::from(*flag)),
        Value::Number(number) => message.chosen_varint(3, number.cast_unsigned()),
        Value::Decimal(number) => message.fixed64(4, number.to_bits()),
        Value::Texts(texts) => message.message(5, |array| {
            for text in texts {
                array.message(1, |any| any.chosen_bytes(1, text.as_bytes()));
            }
        }),
    }
}

/// Nanoseconds since 1970.
pub(crate) fn nanos(at: Timestamp) -> u64 {
    const NANOS_PER_MILLI: u64 = 1_000_000;
    u64::try_from(at.0).unwrap_or(0).saturating_mul(NANOS_PER_MILLI)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::given;

    fn request(span: &Span<'_>) -> Vec<u8> {
        let mut request = Request::new(&Resource::default(), Vec::new());
        request.add(span);
        request.into_bytes()
    }

    #[test]
    fn attributes_that_spans_share_are_sent_like_their_own() {
        let of_run = vec![("run.id", Value::from("r")), ("run.part", 0_u32.into())];
        let decision = vec![
            ("decision.memory_gb", Value::from(1.5)),
            ("decision.matched_rules", Value::Texts(vec!["a".repeat(200)])),
        ];
        let shared = Span {
            shared: [encode(&of_run), encode(&decision)].map(Cow::Owned),
            attributes: vec![("task.id", "t".into())],
            ..given::span()
        };
        let own = Span {
            shared: Default::default(),
            attributes: [of_run, decision, shared.attributes.clone()].concat(),
            ..shared.clone()
        };
        assert_eq!(request(&shared), request(&own));
        assert_eq!(shared.clone().into_owned(), shared);
    }
}
