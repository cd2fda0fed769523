//! Agents that do nothing by themselves: a test looks at what was handed over and reports as it likes.

use orchestrator_core::ids::AttemptKey;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Compute;
use orchestrator_engine::ports::compute::{AgentVersion, Dispatch};

use super::Shared;

/// Keeps what was dispatched and stopped, in order.
#[derive(Debug, Clone, Default)]
pub struct MemoryCompute(Shared<Calls>);

#[derive(Debug, Default)]
struct Calls {
    dispatched: Vec<Dispatch>,
    stopped: Vec<AttemptKey>,
    version: AgentVersion,
}

impl MemoryCompute {
    /// Dispatches since the last call.
    pub fn take_dispatched(&self) -> Vec<Dispatch> {
        std::mem::take(&mut self.0.lock().dispatched)
    }

    /// Changes every agent.
    pub fn set_version(&self, version: AgentVersion) {
        self.0.lock().version = version;
    }

    /// Stops since the last call.
    pub fn take_stopped(&self) -> Vec<AttemptKey> {
        std::mem::take(&mut self.0.lock().stopped)
    }
}

impl Compute for MemoryCompute {
    async fn dispatch(&self, attempts: Vec<Dispatch>) -> Result<(), HostError> {
        self.0.lock().dispatched.extend(attempts);
        Ok(())
    }

    fn version_of(&self, _agent: &str) -> AgentVersion {
        self.0.lock().version
    }

    async fn stop(&self, attempts: Vec<AttemptKey>) -> Result<(), HostError> {
        self.0.lock().stopped.extend(attempts);
        Ok(())
    }
}
