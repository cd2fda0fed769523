//! Points in time as text.

use std::borrow::Cow;
use std::fmt;

use orchestrator_core::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A point in time, written as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub Timestamp);

impl At {
    /// Milliseconds from `earlier` to this point.
    pub fn millis_since(self, earlier: At) -> u64 {
        self.0.millis_since(earlier.0)
    }
}

impl From<Timestamp> for At {
    fn from(timestamp: Timestamp) -> At {
        At(timestamp)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for At {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        match text.parse::<jiff::Timestamp>() {
            Ok(instant) => Ok(At(Timestamp(instant.as_millisecond()))),
            Err(_) => Err(serde::de::Error::custom(format!(
                "'{text}' is not a time in RFC 3339"
            ))),
        }
    }
}

impl JsonSchema for At {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip() {
        let at = At(Timestamp(1_763_836_461_007));
        let text = serde_json::to_string(&at).unwrap();
        assert_eq!(text, "\"2025-11-22T18:34:21.007Z\"");
        assert_eq!(serde_json::from_str::<At>(&text).unwrap(), at);
        assert!(serde_json::from_str::<At>("\"yesterday\"").is_err());
    }
}
