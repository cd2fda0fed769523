//! Points in time and their arithmetic, in milliseconds.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch, UTC. Serialised as that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds from `earlier` to `self`; 0 when the clock went backwards between the two.
    pub fn millis_since(self, earlier: Timestamp) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// The point `millis` later, saturating.
    pub fn plus_millis(self, millis: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)))
    }
}

impl Add<u64> for Timestamp {
    type Output = Timestamp;

    fn add(self, millis: u64) -> Timestamp {
        self.plus_millis(millis)
    }
}

impl Sub<Timestamp> for Timestamp {
    type Output = u64;

    fn sub(self, earlier: Timestamp) -> u64 {
        self.millis_since(earlier)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, as in `2026-11-22T18:34:21.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{} ms after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_went_backwards_gives_no_negative_duration() {
        assert_eq!(Timestamp(5) - Timestamp(9), 0);
        assert_eq!(Timestamp(9) - Timestamp(5), 4);
    }

    #[test]
    fn prints_rfc_3339() {
        assert_eq!(
            Timestamp(1_763_836_461_007).to_string(),
            "2025-11-22T18:34:21.007Z"
        );
    }
}
