//! Messages between functions.

use std::collections::VecDeque;

use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Messages;
use orchestrator_engine::ports::messages::Message;

use super::Shared;

/// Keeps sent messages, in order, until they are taken.
#[derive(Debug, Clone, Default)]
pub struct MemoryMessages(Shared<VecDeque<Message>>);

impl MemoryMessages {
    /// The oldest message.
    pub fn pop(&self) -> Option<Message> {
        self.0.lock().pop_front()
    }

    /// Everything sent and not taken yet.
    pub fn take(&self) -> Vec<Message> {
        self.0.lock().drain(..).collect()
    }
}

impl Messages for MemoryMessages {
    async fn send(&self, messages: Vec<Message>) -> Result<(), HostError> {
        self.0.lock().extend(messages);
        Ok(())
    }
}
