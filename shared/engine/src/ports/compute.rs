//! Handing attempts to agents.

use std::sync::Arc;

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::policy::Choice;

use crate::envelope::Envelope;
use crate::error::HostError;
use crate::trace::span::Attribute;

/// Hands attempts to agents and makes them stop.
///
/// Contract: both calls are idempotent by the attempt's key: a dispatch that is already known starts nothing twice, and
/// stopping what is unknown or gone is fine. What the agent says comes back as a report message, never as a result of
/// these calls; an agent that cannot be started at all is reported as a failed attempt.
pub trait Compute {
    /// Hands over the attempts, in order.
    ///
    /// # Errors
    /// When nothing is known to have been handed over; the message that led here is then delivered again.
    async fn dispatch(&self, attempts: Vec<Dispatch>) -> Result<(), HostError>;

    /// What is told of the way an attempt is handed over: attributes of its span. `None`: it stays in this process, and has no
    /// way worth telling.
    fn way(&self, attempt: &Dispatch) -> Option<Vec<Attribute<'static>>> {
        let _ = attempt;
        None
    }

    /// What tells an agent from what it was before it was changed. Results of another version are not reused.
    fn version_of(&self, agent: &str) -> AgentVersion;

    /// Makes whatever works on the attempts stop, for real. Returns when no new effect of theirs is to be expected on this
    /// host, or, on remote compute, when the stop has been requested.
    ///
    /// # Errors
    /// When the request could not be made.
    async fn stop(&self, attempts: Vec<AttemptKey>) -> Result<(), HostError>;
}

/// SHA-256 of what decides what an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgentVersion(pub [u8; 32]);

/// One attempt to hand over.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// Its key.
    pub key: AttemptKey,
    /// The choice that let it run.
    pub choice: Arc<Choice>,
    /// What the agent gets.
    pub envelope: Arc<Envelope>,
    /// Who submitted the run: compute that is shared fairly is shared among these.
    pub client_id: String,
    /// Whether it may have been handed over before: a host that cannot tell by the key alone looks first.
    pub is_repeat: bool,
}
