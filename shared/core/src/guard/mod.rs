//! Admission of requests: a token bucket per client and period.
//!
//! Pure: time is an argument and the state is plain data, so that a host may keep it in memory or in a shared table.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How often a client may ask. A limit of `None` does not limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimits {
    /// Requests per minute in the long run.
    pub per_minute: Option<u32>,
    /// Requests per hour in the long run.
    pub per_hour: Option<u32>,
    /// Requests that may come at once after a pause, before `per_minute` spaces them out. At least 1.
    pub burst: u32,
}

/// The answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may go on; a token has been taken.
    Allowed,
    /// Too many: ask again after this many whole seconds, at least 1 (the value of a `Retry-After` header).
    RetryAfter(u64),
}

/// One client's tokens: a bucket of `burst` tokens that fills at `per_minute`, and one of `per_hour` tokens that fills at
/// `per_hour`. A request takes a token of each or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBucket {
    minute: Bucket,
    hour: Bucket,
}

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

impl TokenBucket {
    /// Full buckets: how a client starts, and what an idle one comes back to (see [`TokenBucket::is_full`]).
    pub fn new(limits: &RateLimits, now: Timestamp) -> TokenBucket {
        let [minute, hour] = rates(limits);
        TokenBucket {
            minute: Bucket::full(minute, now),
            hour: Bucket::full(hour, now),
        }
    }

    /// Takes a token if there is one. Limits may differ from call to call: a changed configuration applies at once.
    pub fn admit(&mut self, limits: &RateLimits, now: Timestamp) -> Admission {
        let [minute, hour] = rates(limits);
        self.minute.fill(minute, now);
        self.hour.fill(hour, now);
        let wait_ms = self.minute.wait_ms(minute).max(self.hour.wait_ms(hour));
        if wait_ms > 0 {
            return Admission::RetryAfter(wait_ms.div_ceil(1000));
        }
        self.minute.take(minute);
        self.hour.take(hour);
        Admission::Allowed
    }

    /// Whether it is as good as new, so that it need not be kept.
    pub fn is_full(&self, limits: &RateLimits, now: Timestamp) -> bool {
        let [minute, hour] = rates(limits);
        let mut copy = *self;
        copy.minute.fill(minute, now);
        copy.hour.fill(hour, now);
        copy.minute.millitokens >= minute.full() && copy.hour.millitokens >= hour.full()
    }
}

/// `tokens` per `period_ms`, at most `size` at once; no limit when `tokens` is `None`.
#[derive(Clone, Copy)]
struct Rate {
    tokens: Option<u32>,
    period_ms: u64,
    size: u32,
}

fn rates(limits: &RateLimits) -> [Rate; 2] {
    let minute = Rate {
        tokens: limits.per_minute,
        period_ms: MINUTE_MS,
        size: limits.burst.max(1),
    };
    let hour = Rate {
        tokens: limits.per_hour,
        period_ms: HOUR_MS,
        size: limits.per_hour.unwrap_or(1).max(1),
    };
    [minute, hour]
}

/// Tokens are counted in 1/`period_ms`: what comes in during a millisecond is then a whole number, `tokens`, and nothing is
/// lost to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket {
    millitokens: u64,
    filled_at: Timestamp,
}

impl Rate {
    fn full(self) -> u64 {
        u64::from(self.size) * self.period_ms
    }
}

impl Bucket {
    fn full(rate: Rate, now: Timestamp) -> Bucket {
        Bucket {
            millitokens: rate.full(),
            filled_at: now,
        }
    }

    /// Adds what has come in since the last time. A clock that went backwards adds nothing and is believed from then on:
    /// otherwise a client would wait until the old time comes again.
    fn fill(&mut self, rate: Rate, now: Timestamp) {
        let passed_ms = now.millis_since(self.filled_at);
        let income = passed_ms.saturating_mul(u64::from(rate.tokens.unwrap_or(0)));
        self.millitokens = self.millitokens.saturating_add(income).min(rate.full());
        self.filled_at = now;
    }

    /// How long until there is a whole token.
    fn wait_ms(&self, rate: Rate) -> u64 {
        let Some(tokens) = rate.tokens else { return 0 };
        let missing = rate.period_ms.saturating_sub(self.millitokens);
        match tokens {
            0 => rate.period_ms,
            tokens => missing.div_ceil(u64::from(tokens)),
        }
    }

    fn take(&mut self, rate: Rate) {
        if rate.tokens.is_some() {
            self.millitokens -= rate.period_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Admission::{Allowed, RetryAfter};

    fn limits(per_minute: Option<u32>, per_hour: Option<u32>, burst: u32) -> RateLimits {
        RateLimits {
            per_minute,
            per_hour,
            burst,
        }
    }

    #[test]
    fn requests_are_admitted_by_rate_and_burst() {
        // Limits, then (milliseconds, answer) in order.
        type Case = (&'static str, RateLimits, &'static [(i64, Admission)]);
        let table: [Case; 8] = [
            (
                "a burst, then one every second",
                limits(Some(60), None, 2),
                &[
                    (0, Allowed),
                    (0, Allowed),
                    (0, RetryAfter(1)),
                    (999, RetryAfter(1)),
                    (1000, Allowed),
                    (1000, RetryAfter(1)),
                ],
            ),
            (
                "a refused request costs nothing",
                limits(Some(6), None, 1),
                &[
                    (0, Allowed),
                    (1, RetryAfter(10)),
                    (5_000, RetryAfter(5)),
                    (10_000, Allowed),
                ],
            ),
            (
                "the hour holds although the minute would admit",
                limits(Some(60), Some(2), 10),
                &[
                    (0, Allowed),
                    (0, Allowed),
                    (0, RetryAfter(1800)),
                    (60_000, RetryAfter(1740)),
                    (1_800_000, Allowed),
                ],
            ),
            (
                "a pause fills no more than the burst",
                limits(Some(60), None, 1),
                &[(0, Allowed), (9_000_000, Allowed), (9_000_000, RetryAfter(1))],
            ),
            (
                "no limits, no refusal",
                limits(None, None, 1),
                &[(0, Allowed), (0, Allowed), (0, Allowed)],
            ),
            (
                "a limit of 0 admits nothing",
                limits(Some(0), None, 1),
                &[(0, RetryAfter(60)), (9_000_000, RetryAfter(60))],
            ),
            (
                "a burst of 0 counts as 1",
                limits(Some(60), None, 0),
                &[(0, Allowed), (0, RetryAfter(1))],
            ),
            (
                "a clock that goes backwards neither admits nor locks out",
                limits(Some(60), None, 1),
                &[
                    (3_600_000, Allowed),
                    (0, RetryAfter(1)),
                    (999, RetryAfter(1)),
                    (1000, Allowed),
                ],
            ),
        ];
        for (rule, limits, requests) in table {
            let mut bucket = TokenBucket::new(&limits, Timestamp(requests[0].0));
            for (step, (now, expected)) in requests.iter().enumerate() {
                assert_eq!(
                    bucket.admit(&limits, Timestamp(*now)),
                    *expected,
                    "{rule}, request {step}"
                );
            }
        }
    }

    #[test]
    fn uneven_rates_lose_nothing_to_rounding() {
        let limits = limits(Some(7), None, 2);
        let mut bucket = TokenBucket::new(&limits, Timestamp(0));
        let admitted = (1..=600_000_i64)
            .filter(|now| bucket.admit(&limits, Timestamp(*now)) == Allowed)
            .count();
        assert_eq!(
            admitted,
            2 + 69,
            "the burst, and 7 a minute for 1 ms less than 10 minutes"
        );
    }

    #[test]
    fn a_bucket_that_has_filled_up_need_not_be_kept() {
        let limits = limits(Some(60), Some(100), 5);
        let mut bucket = TokenBucket::new(&limits, Timestamp(0));
        assert!(bucket.is_full(&limits, Timestamp(0)));
        bucket.admit(&limits, Timestamp(0));
        assert!(
            !bucket.is_full(&limits, Timestamp(1000)),
            "the hour's token takes 36 seconds"
        );
        assert!(bucket.is_full(&limits, Timestamp(36_000)));
    }
}
