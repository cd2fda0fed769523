//! Time that moves when told to.

use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::Clock;

use super::Shared;
use crate::random::Random;

/// A clock under control of the test.
#[derive(Debug, Clone)]
pub struct SimulatedClock(Shared<Inner>);

#[derive(Debug)]
struct Inner {
    now: Timestamp,
    random: Random,
}

impl SimulatedClock {
    /// A clock that stands at `now` and draws ids from `seed`.
    pub fn new(now: Timestamp, seed: u64) -> SimulatedClock {
        SimulatedClock(Shared::new(Inner {
            now,
            random: Random::new(seed),
        }))
    }

    /// Moves the clock, forward or backward.
    pub fn set(&self, now: Timestamp) {
        self.0.lock().now = now;
    }

    /// Moves the clock forward.
    pub fn advance(&self, millis: u64) {
        let mut inner = self.0.lock();
        inner.now = inner.now + millis;
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.0.lock().now
    }

    fn random_bits(&self) -> u128 {
        let mut inner = self.0.lock();
        u128::from(inner.random.bits()) << 64 | u128::from(inner.random.bits())
    }
}
