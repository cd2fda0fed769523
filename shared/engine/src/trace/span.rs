//! A span, as it is exported.

use std::borrow::Cow;
use std::sync::Arc;

use orchestrator_core::time::Timestamp;

use super::context::{Context, SpanId};

/// Something that took time.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its trace, its own id, whether it is exported.
    pub context: Context,
    /// Its parent; `None` for the first of a trace.
    pub parent: Option<SpanId>,
    /// `tracestate` of the trace.
    pub state: Option<String>,
    /// What it is, without what differs from one to the next.
    pub name: Cow<'static, str>,
    /// Its role between services.
    pub kind: SpanKind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// What is known of it.
    pub attributes: Vec<Attribute>,
    /// Other spans that led here, besides the parent.
    pub links: Vec<Context>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// A name with its value.
pub type Attribute = (&'static str, Value);

/// The role of a span between services; the numbers are those of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Within a service.
    Internal = 1,
    /// Answers a request.
    Server = 2,
    /// Makes a request.
    Client = 3,
    /// Sends a message.
    Producer = 4,
    /// Takes a message.
    Consumer = 5,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(Cow<'static, str>),
    /// A text of many spans.
    Shared(Arc<str>),
    /// A whole number.
    Number(i64),
    /// A number.
    Decimal(f64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    Texts(Vec<String>),
}

/// Links of one span; what fans in from more is not all named.
pub const LINKS_MAX: usize = 32;
/// Longest text of an attribute or an error, in characters.
pub const TEXT_MAX: usize = 1_024;

impl From<String> for Value {
    fn from(text: String) -> Value {
        // No text has more characters than bytes.
        let is_long = text.len() > TEXT_MAX;
        match is_long.then(|| text.char_indices().nth(TEXT_MAX)).flatten() {
            None => Value::Text(Cow::Owned(text)),
            Some((end, _)) => Value::Text(Cow::Owned(format!("{}…", &text[..end]))),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::from(text.to_owned())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(text: Cow<'_, str>) -> Value {
        Value::from(text.into_owned())
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Value {
        Value::Shared(Arc::clone(text))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Number(i64::from(number))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Value {
        Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Decimal(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Flag(flag)
    }
}

/// A text that is the same in every span.
pub fn fixed(text: &'static str) -> Value {
    Value::Text(Cow::Borrowed(text))
}
