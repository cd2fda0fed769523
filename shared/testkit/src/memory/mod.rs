//! Every port in memory. Cheap to clone: clones share what they hold, so that a test keeps one end of what it hands to the
//! engine.

mod cache;
mod clock;
mod compute;
mod event_bus;
mod idempotency;
mod journal;
mod messages;
mod pools;
mod ports;
mod rate_limits;
mod session_cache;

pub use cache::MemoryCache;
pub use clock::SimulatedClock;
pub use compute::MemoryCompute;
pub use event_bus::{MemoryEventBus, Published};
pub use idempotency::MemoryIdempotency;
pub use journal::MemoryJournal;
pub use messages::MemoryMessages;
pub use pools::MemoryPools;
pub use ports::MemoryPorts;
pub use rate_limits::MemoryRateLimits;
pub use session_cache::MemorySessions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// State that clones share.
#[derive(Debug, Default)]
struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    fn new(value: T) -> Shared<T> {
        Shared(Arc::new(Mutex::new(value)))
    }

    /// A panic elsewhere does not hide what a test wants to look at.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared(Arc::clone(&self.0))
    }
}
