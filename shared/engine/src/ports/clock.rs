//! The time, and randomness for ids.

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;

/// The only source of time and chance.
pub trait Clock {
    /// The current time. May go backwards; nothing may break when it does.
    fn now(&self) -> Timestamp;

    /// 80 unpredictable bits for a new run id.
    fn random_bits(&self) -> u128;

    /// A new run id.
    fn new_run_id(&self) -> RunId {
        RunId::from_parts(u64::try_from(self.now().0).unwrap_or(0), self.random_bits())
    }
}
