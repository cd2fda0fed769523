//! Use case `intake`, its last step: a validated workflow becomes a run.

use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::{Carrier, Submission};
use orchestrator_core::workflow::Workflow;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::drive::Session;
use crate::engine::Engine;
use crate::error::Error;
use crate::ports::journal::{self, Blob};
use crate::ports::messages::Recovery;
use crate::ports::{Clock, Ports};
use crate::trace::turn::UseCase;

/// A validated request for a run.
#[derive(Debug, Clone)]
pub struct Request {
    /// The run to be; drawn by the caller, so that a repeated request creates one run.
    pub run: RunId,
    /// The workflow.
    pub workflow: Arc<Workflow>,
    /// Canonical bytes of the workflow.
    pub canonical: Arc<[u8]>,
    /// Who asks.
    pub client_id: String,
    /// Bound inputs, an object.
    pub inputs: Arc<Value>,
    /// Metadata, an object.
    pub metadata: Arc<Value>,
    /// Priority of the run.
    pub priority: Option<u8>,
    /// Trace context of the request.
    pub trace: Carrier,
    /// Whether the client has a concurrent-run limit.
    pub needs_admission: bool,
    /// Whether every task is to be done, even if its result is kept.
    pub is_fresh: bool,
}

impl<P: Ports> Engine<P> {
    /// Stores the run and starts it. A run that exists already is left as it is.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn submit(&self, request: Request) -> Result<(), Error> {
        let hash: [u8; 32] = Sha256::digest(&request.canonical).into();
        self.remember_definition(hash, &request.workflow);
        let submission = Submission {
            run: request.run,
            definition: hash,
            client_id: request.client_id,
            inputs: request.inputs,
            metadata: request.metadata,
            priority: request.priority,
            trace: request.trace,
            needs_admission: request.needs_admission,
            is_fresh: request.is_fresh,
            sla: self.options.sla,
        };
        let definition = Blob {
            hash,
            bytes: request.canonical,
        };
        let now = self.ports.clock().now();
        let mut session = Session::submit(request.workflow, definition, submission, now);
        if self.options.decides_in_turn {
            self.admit(&mut session).await?;
        }
        self.decide_in_turn(&mut session).await?;
        let taken = session.taken().to_vec();
        match self.start(session).await {
            Err(Error::Journal(journal::Error::Conflict { .. })) => {
                self.submitted_before(request.run, taken).await
            }
            other => other,
        }
    }

    /// The request was carried out before: the slots just taken for it are given back unless the run holds them, and
    /// whatever it still owes is sent again, because the first request may have died on the way.
    async fn submitted_before(&self, run: RunId, taken: Vec<AttemptKey>) -> Result<(), Error> {
        self.drive_after(run, taken, async |session: &mut Session| {
            session.use_case = UseCase::Submit;
            session.owe_again(Recovery::EVERYTHING);
            Ok(())
        })
        .await
    }
}
