//! What was published.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Event, RunStatus};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::EventBus;
use orchestrator_engine::ports::event_bus::Committed;

use super::Shared;

/// Keeps what was published, in order.
#[derive(Debug, Clone, Default)]
pub struct MemoryEventBus(Shared<Vec<Published>>);

/// One append, as published.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The run.
    pub run: RunId,
    /// Its place in the journal.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub events: Vec<Event>,
    /// State of the run after it.
    pub status: RunStatus,
}

impl MemoryEventBus {
    /// Everything since the last call.
    pub fn take(&self) -> Vec<Published> {
        std::mem::take(&mut self.0.lock())
    }
}

impl EventBus for MemoryEventBus {
    async fn publish(&self, committed: Committed<'_>) -> Result<(), HostError> {
        let Committed {
            run,
            seq,
            at,
            events,
            status,
            ..
        } = committed;
        self.0.lock().push(Published {
            run,
            seq,
            at,
            events: events.to_vec(),
            status,
        });
        Ok(())
    }
}
