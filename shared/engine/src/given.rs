//! What tests begin with.

use std::sync::Arc;

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{RunState, Submission, submit};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::{Limits, parse};
use serde_json::json;

use crate::trace::{Context, Span, SpanKind, ids};

/// A run of this document that was submitted at `at`.
pub(crate) fn submitted(document: &str, at: Timestamp) -> RunState {
    let workflow = parse(document.as_bytes(), &Limits::api()).workflow.unwrap();
    let submission = Submission {
        run: RunId::from_parts(0, 1),
        definition: [0; 32],
        client_id: "c".to_owned(),
        inputs: Arc::new(json!({})),
        metadata: Arc::new(json!({})),
        priority: None,
        trace: Default::default(),
        needs_admission: false,
        is_fresh: false,
        sla: Default::default(),
    };
    submit(Arc::new(workflow), Arc::new(submission), at).0
}

/// A span that says nothing.
pub(crate) fn span() -> Span<'static> {
    let run = RunId::from_parts(0, 1);
    Span {
        context: Context {
            trace: ids::trace_of(run),
            span: ids::part(run, 0),
            is_sampled: true,
        },
        parent: None,
        state: None,
        name: "s".into(),
        kind: SpanKind::Internal,
        start: Timestamp(0),
        end: Timestamp(0),
        shared: Default::default(),
        attributes: Vec::new(),
        links: Vec::new(),
        error: None,
    }
}
