//! The record of a decision: what the policy chose, what shaped it, what it saw.

use maud::{Markup, html};
use orchestrator_engine::views::ChoiceView;
use orchestrator_engine::views::plan::StepView;
use serde_json::Value;

use crate::parts::{json, say, status, time};

/// A choice.
pub fn choice(choice: &ChoiceView) -> Markup {
    html! {
        p.decision { (verdict(&choice.decision)) " " (say::sentence(&choice.reason)) }
        dl.facts {
            div { dt { "Class" } dd { (choice.resource_class) } }
            div { dt { "Priority" } dd { (choice.priority) " of 10" } }
            div { dt { "Memory" } dd { (choice.memory_gb) " GB" } }
            @if let Some(model) = &choice.llm_model { div { dt { "Model" } dd { (model) } } }
            @if choice.use_distributed { div { dt { "Distributed" } dd { "yes" } } }
            div { dt { "Retries" } dd {
                @if choice.retries_by_itself { (choice.max_retries) ", first after at most " (time::duration(choice.backoff_base_ms)) }
                @else { "only by a person" }
            } }
            @if let Some(timeout) = choice.timeout_ms { div { dt { "Timeout" } dd { (time::duration(timeout)) } } }
            @for pool in &choice.pools {
                div { dt { "Pool " (pool.pool) } dd {
                    (pool.slots) @if pool.slots == 1 { " slot" } @else { " slots" }
                    @if let Some(used) = pool.used { ", " (used) " in use when it was asked" }
                } }
            }
            @for (key, value) in &choice.extra { div { dt { (key) } dd { (json::line(value)) } } }
            div { dt { "Policy" } dd { code { (choice.policy_version) } } }
        }
        @if !choice.matched.is_empty() {
            h3 { "What shaped it, in order" }
            ol.matched { @for rule in &choice.matched { li { code { (rule) } } } }
        }
    }
}

/// The verdict as a badge.
pub fn verdict(decision: &str) -> Markup {
    let look = match decision.split(':').next().unwrap_or_default() {
        "run" => "success",
        "deny" => "failed",
        _ => "held",
    };
    status::badge(look, decision)
}

/// What each key and rule contributed.
pub fn steps(steps: &[StepView]) -> Markup {
    html! {
        table.cards.steps {
            thead { tr { th { "Key or rule" } th { "Effect" } } }
            tbody {
                @for step in steps {
                    tr { th scope="row" data-label="Key or rule" { code { (step.rule) } } td data-label="Effect" { (effect(step)) } }
                }
            }
        }
    }
}

fn effect(step: &StepView) -> Markup {
    let text = |name: &str| step.effect.get(name).and_then(Value::as_str).unwrap_or_default();
    let value = |name: &str| step.effect.get(name).unwrap_or(&Value::Null);
    html! {
        @match text("effect") {
            "set" => { "sets " strong { (text("key")) } ": " (json::line(value("before"))) " → " (json::line(value("after"))) },
            "refused" => { strong { "refuses" } ": " (text("reason")) },
            "agrees" => { "applies, and changes nothing" },
            "does_not_apply" => span.hint { "does not apply" },
            "not_asked" => span.hint { "not asked: an earlier rule ended it" },
            other => (other),
        }
    }
}
