//! A span, as it is exported.

use std::borrow::Cow;
use std::fmt;

use orchestrator_core::time::Timestamp;

use super::context::{Context, SpanId};

/// Something that took time. Most are made to be sent at once, so they borrow what they tell from what they tell it of.
#[derive(Debug, Clone, PartialEq)]
pub struct Span<'a> {
    /// Its trace, its own id, whether it is exported.
    pub context: Context,
    /// Its parent; `None` for the first of a trace.
    pub parent: Option<SpanId>,
    /// `tracestate` of the trace.
    pub state: Option<Cow<'a, str>>,
    /// What it is, without what differs from one to the next.
    pub name: Name<'a>,
    /// Its role between services.
    pub kind: SpanKind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// What is known of its run and of the decision on it, which many spans share.
    pub shared: [Encoded<'a>; 2],
    /// What is known of it besides.
    pub attributes: Vec<Attribute<'a>>,
    /// Other spans that led here, besides the parent.
    pub links: Vec<Context>,
    /// Why it failed, if it did.
    pub error: Option<Cow<'a, str>>,
}

/// The name of a span: a word for what it is, then the name of what it is about, if it has one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Name<'a>(pub &'static str, pub Cow<'a, str>);

/// Attributes as they are sent, [`super::otlp::encode`]; those that many spans share are written once.
pub type Encoded<'a> = Cow<'a, [u8]>;

/// A name with its value.
pub type Attribute<'a> = (&'static str, Value<'a>);

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
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
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

impl Span<'_> {
    /// The span, with its own copy of everything.
    pub fn into_owned(self) -> Span<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let attributes = self.attributes.into_iter();
        Span {
            context: self.context,
            parent: self.parent,
            state: self.state.map(owned),
            name: Name(self.name.0, owned(self.name.1)),
            kind: self.kind,
            start: self.start,
            end: self.end,
            shared: self.shared.map(|shared| Cow::Owned(shared.into_owned())),
            attributes: attributes
                .map(|(name, value)| (name, value.into_owned()))
                .collect(),
            links: self.links,
            error: self.error.map(owned),
        }
    }
}

impl Value<'_> {
    fn into_owned(self) -> Value<'static> {
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Number(number) => Value::Number(number),
            Value::Decimal(number) => Value::Decimal(number),
            Value::Flag(flag) => Value::Flag(flag),
            Value::Texts(texts) => Value::Texts(texts),
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        f.write_str(&self.1)
    }
}

impl From<&'static str> for Name<'_> {
    fn from(name: &'static str) -> Self {
        Name(name, Cow::Borrowed(""))
    }
}

impl From<String> for Name<'_> {
    fn from(name: String) -> Self {
        Name("", Cow::Owned(name))
    }
}

/// A text, cut off where it is too long.
pub(super) fn limited(text: Cow<'_, str>) -> Cow<'_, str> {
    // No text has more characters than bytes.
    let is_long = text.len() > TEXT_MAX;
    match is_long.then(|| text.char_indices().nth(TEXT_MAX)).flatten() {
        None => text,
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Value::Text(limited(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::from(Cow::Owned(text))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::from(Cow::Borrowed(text))
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Value::Number(i64::from(number))
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Value::Decimal(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}

/// A text that is the same in every span.
pub fn fixed(text: &'static str) -> Value<'static> {
    Value::Text(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_off_between_two_letters() {
        let fits = "é".repeat(TEXT_MAX);
        assert_eq!(limited(fits.as_str().into()), fits);
        let long = format!("{fits}é");
        assert_eq!(limited(long.into()), format!("{fits}…"));
    }
}
