//! What spans of a run are told to be: how it was asked for, what the policy said, how things ended.

use orchestrator_core::ids::RunId;
use orchestrator_core::policy::{Choice, Verdict};
use orchestrator_core::run::{Found, Submission};
use orchestrator_core::workflow::Workflow;

use super::interval::{Interval, Outcome};
use super::otlp::encode;
use super::span::{Attribute, Span, Value, fixed, limited};
use crate::translation::ORIGIN;

/// How a run was asked for: by a document, or by a text in natural language.
pub(super) fn request_type(submission: &Submission) -> &'static str {
    match submission.metadata.get(ORIGIN) {
        None => "DSL",
        Some(_) => "NL",
    }
}

/// How something ended, and why.
pub(super) fn tell_outcome<'a>(span: &mut Span<'a>, interval: &'a Interval) {
    let status = match &interval.outcome {
        Outcome::Success | Outcome::Reused(_) => "SUCCESS",
        Outcome::Failed(_) => "FAILED",
        Outcome::Skipped(_) => "SKIPPED",
        Outcome::Cancelled => "CANCELLED",
        Outcome::Reset => "RESET",
        Outcome::Over | Outcome::Open => "RUNNING",
    };
    span.attributes.push(("task.status", fixed(status)));
    if let Outcome::Reused(lookup) = &interval.outcome
        && let Found::Kept(origin) = &lookup.found
    {
        span.attributes.extend([
            ("task.cached", Value::from(true)),
            ("task.cached.run_id", origin.run.to_string().into()),
            ("task.cached.task_id", origin.task.as_str().into()),
        ]);
    }
    if let Outcome::Failed(failure) = &interval.outcome {
        let failure = failure.as_deref();
        let class = failure.map_or("error", |failure| failure.class.as_str());
        span.attributes.push(("error.type", fixed(class)));
        if let Some(code) = failure.and_then(|failure| failure.exit_code) {
            span.attributes
                .push(("process.exit.code", Value::Number(i64::from(code))));
        }
        let message = failure.map_or("", |failure| &failure.message);
        span.error = Some(limited(message.into()));
    }
}

/// What every span of a run says of it.
pub(super) fn of_run(run: RunId, workflow: &Workflow, request_type: &'static str) -> Vec<u8> {
    encode(&[
        ("run.id", run.to_string().into()),
        ("run.workflow", workflow.name.as_str().into()),
        ("run.request_type", fixed(request_type)),
    ])
}

/// What the policy said.
pub(super) fn decision(choice: &Choice) -> Vec<u8> {
    let outcome = match &choice.verdict {
        Verdict::Allow => "allow",
        Verdict::Deny { .. } => "deny",
        Verdict::Hold { .. } => "hold",
    };
    let overrides = &choice.overrides;
    let mut attributes: Vec<Attribute<'_>> = vec![
        ("decision.outcome", fixed(outcome)),
        (
            "decision.resource_class",
            fixed(overrides.resource_class.as_str()),
        ),
        ("decision.priority", Value::Number(i64::from(overrides.priority))),
        ("decision.memory_gb", overrides.memory_gb.into()),
        ("decision.matched_rules", Value::Texts(choice.matched.clone())),
        ("decision.policy_version", choice.policy_version.as_str().into()),
        ("decision.reason", choice.reason.as_str().into()),
    ];
    if let Some(model) = &overrides.llm_model {
        attributes.push(("gen_ai.request.model", model.as_str().into()));
    }
    encode(&attributes)
}
