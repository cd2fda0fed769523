//! Waiting.

/// Lets time pass. Only what waits for another process needs it: whatever else is due has its time in a journal.
pub trait Pause {
    /// Returns after about this long.
    async fn pause(&self, millis: u64);
}
