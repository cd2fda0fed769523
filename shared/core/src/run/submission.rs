//! What a run begins with.

use std::sync::Arc;

use serde_json::Value;

use crate::ids::RunId;
use crate::sla::SlaSpec;

/// What a client asked for, with everything that is fixed for the life of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The run.
    pub run: RunId,
    /// SHA-256 of the canonical workflow; the definition is stored once under it.
    pub definition: [u8; 32],
    /// Who submitted it.
    pub client_id: String,
    /// Bound inputs, an object.
    pub inputs: Arc<Value>,
    /// Metadata of the request, an object (`urgent`, `dataset_size`, ...); policy rules see it.
    pub metadata: Arc<Value>,
    /// Priority of the run, 1 to 10.
    pub priority: Option<u8>,
    /// Trace context of the request, so that the trace survives queues and restarts.
    pub trace: Carrier,
    /// Whether the run has to wait for a place under its client's concurrent-run limit.
    pub needs_admission: bool,
    /// Whether kept results are left alone: every task is done, whatever it says about `cache`.
    pub is_fresh: bool,
    /// Deadlines where the workflow and its tasks say nothing: the configuration's at this moment.
    pub sla: SlaSpec,
}

/// What a request carries about the trace it is part of, in W3C form. Kept as it came; the engine reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carrier {
    /// `traceparent`: trace, span of the caller, whether the trace is sampled.
    pub parent: Option<String>,
    /// `tracestate`: what other tracing systems want to be handed on.
    pub state: Option<String>,
    /// `baggage`: names and values for everybody downstream.
    pub baggage: Option<String>,
}
