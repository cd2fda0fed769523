//! The time and chance of this machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::{Clock, Pause};
use rustix::rand::{GetRandomFlags, getrandom};

/// The system's clock and random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port of this machine")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn random_bits(&self) -> u128 {
        u128::from_ne_bytes(random_bytes())
    }
}

impl Pause for SystemClock {
    async fn pause(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

/// Unpredictable bytes.
///
/// # Panics
/// When the system has no random number generator: nothing could be signed or named then.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= 256, "the system fills up to 256 bytes in one call") };
    let mut bytes = [0; N];
    let filled = getrandom(&mut bytes, GetRandomFlags::empty());
    assert_eq!(filled, Ok(N), "the system must have a random number generator");
    bytes
}
