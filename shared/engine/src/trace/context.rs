//! Trace contexts and how they travel in headers: W3C Trace Context and Baggage.

use std::borrow::Cow;
use std::fmt;

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::run::Carrier;
use serde::{Serialize, Serializer};

use super::ids;

/// Identifies a trace. Never all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// Identifies a span within its trace. Never all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

/// A place in a trace: what a child needs to know of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Context {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether spans of the trace are exported.
    pub is_sampled: bool,
}

/// Longest `tracestate` handed on; the standard asks for at least 512 characters.
const STATE_BYTES_MAX: usize = 512;
/// Longest `baggage` handed on; the standard's own limit.
const BAGGAGE_BYTES_MAX: usize = 8_192;
/// The sampled bit of the trace flags.
const SAMPLED: u8 = 1;

impl Context {
    /// Reads a `traceparent`, see <https://www.w3.org/TR/trace-context/#traceparent-header>. `None` when it is not one.
    pub fn parse(traceparent: &str) -> Option<Context> {
        let text = traceparent.trim();
        let mut parts = text.split('-');
        let version = lower_hex::<1>(parts.next()?)?[0];
        let trace = TraceId(lower_hex(parts.next()?)?);
        let span = SpanId(lower_hex(parts.next()?)?);
        let flags = lower_hex::<1>(parts.next()?)?[0];
        // Later versions may say more behind what this one knows.
        let is_whole = parts.next().is_none() || version > 0;
        let is_valid = version != 0xff && trace.0 != [0; 16] && span.0 != [0; 8] && is_whole;
        is_valid.then_some(Context {
            trace,
            span,
            is_sampled: flags & SAMPLED != 0,
        })
    }

    /// As a `traceparent`.
    pub fn traceparent(&self) -> String {
        // Nearly every attempt gets one: written in place.
        let mut text = *b"00-................................-................-00";
        hex::encode_to_slice(self.trace.0, &mut text[3..35]).expect("32 digits");
        hex::encode_to_slice(self.span.0, &mut text[36..52]).expect("16 digits");
        text[54] = b'0' + u8::from(self.is_sampled);
        str::from_utf8(&text).expect("digits and dashes").to_owned()
    }
}

/// The `traceparent` of an attempt, written when somebody reads it: not every agent does.
#[derive(Debug, Clone, PartialEq)]
pub enum Parent {
    /// What came with the request.
    Given(String),
    /// The attempt itself.
    Attempt {
        /// Its trace.
        trace: TraceId,
        /// The attempt.
        key: AttemptKey,
        /// Whether spans of the trace are exported.
        is_sampled: bool,
    },
}

impl Parent {
    /// As a `traceparent`.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Parent::Given(text) => Cow::Borrowed(text),
            Parent::Attempt {
                trace,
                key,
                is_sampled,
            } => {
                let context = Context {
                    trace: *trace,
                    span: ids::attempt(*key),
                    is_sampled: *is_sampled,
                };
                Cow::Owned(context.traceparent())
            }
        }
    }
}

impl Serialize for Parent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// Drops what is malformed or too long: it would be handed on to agents and stored with the run.
pub fn checked(carrier: Carrier) -> Carrier {
    let printable = |text: &String, bytes_max: usize| {
        text.len() <= bytes_max && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    let parent = carrier.parent.filter(|parent| Context::parse(parent).is_some());
    Carrier {
        // A state belongs to its parent.
        state: carrier
            .state
            .filter(|state| parent.is_some() && printable(state, STATE_BYTES_MAX)),
        parent,
        baggage: carrier
            .baggage
            .filter(|baggage| printable(baggage, BAGGAGE_BYTES_MAX)),
    }
}

/// Lower-case hexadecimal digits, exactly as many as the bytes take.
pub(super) fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = 16 * digit(pair[0])? + digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_round_trips_and_anything_else_is_refused() {
        let context = Context::parse(PARENT).unwrap();
        assert_eq!(
            (context.traceparent().as_str(), context.is_sampled),
            (PARENT, true)
        );
        let not_sampled = PARENT.replace("-01", "-00");
        assert_eq!(Context::parse(&not_sampled).unwrap().traceparent(), not_sampled);
        // Flags and versions of the future: what this version knows is read, and written in this version.
        let newer = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what";
        assert_eq!(Context::parse(newer).unwrap().traceparent(), PARENT);
        for wrong in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319é-b7ad6b7169203331-01",
        ] {
            assert_eq!(Context::parse(wrong), None, "{wrong}");
        }
    }
}
