//! What other threads send to the engine's thread.

use std::sync::mpsc::Sender;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::{Command, Report, ReportKind, RunState};
use orchestrator_engine::error::{Error, HostError};
use orchestrator_engine::ports::idempotency::{Claim, Claimed};
use orchestrator_engine::submit::Request;
use tokio::sync::oneshot;

use super::{PoolView, Stats, Watched};

/// Answers a caller once everything it asked for is durable.
pub(crate) type Reply = oneshot::Sender<Result<(), Error>>;

/// Looks at a loaded run (`None`: it is not loaded) and at the number of its appends.
pub(crate) type Look = Box<dyn FnOnce(Option<(&RunState, u64)>) + Send>;

/// One message to the engine's thread.
pub(crate) enum Input {
    /// Start a run.
    Submit(Box<Request>, Reply),
    /// Carry out an operator's command.
    Operate(RunId, Command, Reply),
    /// Pass on what agents said through the API.
    Report(RunId, Vec<Report>, Reply),
    /// Remember an idempotency key.
    Claim(Claim, oneshot::Sender<Result<Claimed, HostError>>),
    /// Look at a run.
    Look(RunId, Look),
    /// Tell how full the pools are.
    Pools(oneshot::Sender<Vec<PoolView>>),
    /// Tell what the host has done so far.
    Stats(oneshot::Sender<Stats>),
    /// Tell which running tasks take long and which runs do not move, of one client or of all.
    Watch(Option<String>, oneshot::Sender<Watched>),
    /// An alert was sent, or is given up.
    Sent(String),
    /// An agent of this machine goes on.
    Said(AttemptKey, ReportKind),
    /// An agent of this machine has ended.
    Ended(AttemptKey, ReportKind),
    /// An agent took the attempt and will report by itself.
    Handed(AttemptKey),
    /// A turn that waited for another thread can go on.
    Woken,
    /// Finish what is begun and end the thread.
    Stop,
}

/// The sending end; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Inbox(Sender<Input>);

impl Inbox {
    pub(crate) fn new(sender: Sender<Input>) -> Inbox {
        Inbox(sender)
    }

    /// Sends a message. After the engine's thread has ended it is dropped, and with it the reply it carries: the caller
    /// sees that nobody answers.
    pub(crate) fn send(&self, input: Input) {
        let _ = self.0.send(input);
    }
}
