//! Leaves a model alone that keeps failing. Each process finds that out for itself.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Calls that fail one after the other until the endpoint is left alone.
const FAILURES_MAX: u32 = 5;
/// For how long.
const REST: Duration = Duration::from_secs(30);

/// Counts failures.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Nothing is let through before; then one call is tried.
    rests_until: Option<Instant>,
}

impl Breaker {
    /// Lets a call through, or tells for how long none is.
    ///
    /// # Errors
    /// With the time for which nothing is let through.
    pub fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.rests_until {
            Some(until) if until > now => Err(until - now),
            Some(_) => {
                // One call finds out whether it is back; the others wait for that.
                state.rests_until = Some(now + REST);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Notes how a call went.
    pub fn note(&self, is_good: bool, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_good {
            *state = State::default();
            return;
        }
        state.failures += 1;
        if state.failures >= FAILURES_MAX {
            state.rests_until = Some(now + REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a start from which the test counts")]
    fn after_failures_it_rests_and_then_tries_one_call() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES_MAX {
            assert!(breaker.admit(start).is_ok());
            breaker.note(false, start);
        }
        assert_eq!(breaker.admit(start), Err(REST));
        let later = start + REST;
        assert!(breaker.admit(later).is_ok());
        assert!(breaker.admit(later).is_err(), "one call at a time finds out");
        breaker.note(true, later);
        assert!(breaker.admit(later).is_ok() && breaker.admit(later).is_ok());
    }
}
