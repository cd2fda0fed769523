//! The policy: what it says, and a box to ask it.

use http::Method;
use maud::{Markup, html};
use orchestrator_engine::api::{Backend, Problem};
use orchestrator_engine::views::PlanView;
use serde_json::{Map, Value, json};

use super::decision;
use crate::parts::{json, say};
use crate::shell::{Page, Section};
use crate::visit::Visit;

/// Tasks whose choices are shown in full.
const SHOWN_MAX: usize = 20;

const SAMPLE: &str = "id: fit\nagent: ml_agent\naction: train_model\nparams: {dataset_size: 250000}\n";

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>) -> Result<Page, Problem> {
    Ok(show(visit, SAMPLE, "", None))
}

/// The page with what the policy says to a task.
pub async fn test<B: Backend>(visit: &Visit<'_, B>) -> Result<Page, Problem> {
    let (task, metadata) = (visit.form.whole("task"), visit.form.whole("metadata"));
    let answer = ask(visit, task, metadata).await;
    Ok(show(visit, task, metadata, Some(&answer)))
}

async fn ask<B: Backend>(visit: &Visit<'_, B>, task: &str, metadata: &str) -> Result<PlanView, Problem> {
    let is_whole = task.lines().any(|line| line.starts_with("tasks:")) || task.trim_start().starts_with('{');
    let dsl = match is_whole {
        true => task.to_owned(),
        false => in_a_workflow(task),
    };
    let mut body = json!({"dsl": dsl});
    let metadata = metadata.trim();
    if !metadata.is_empty() {
        let metadata: Map<String, Value> = serde_json::from_str(metadata).map_err(|error| {
            let detail = format!("the metadata is no JSON object: {error} (as in {{\"urgent\": true}})");
            Problem::new(orchestrator_engine::api::Code::Malformed, detail)
        })?;
        body["metadata"] = Value::Object(metadata);
    }
    visit.ask(Method::POST, "/policy/explain", Some(&body)).await
}

/// A single task as a workflow of its own: what it depends on is not there, and says nothing to the policy.
fn in_a_workflow(task: &str) -> String {
    let mut lines = task
        .trim_matches('\n')
        .lines()
        .filter(|line| !line.trim().is_empty());
    let mut text = "name: question\ntasks:\n".to_owned();
    let is_list = task.trim_start().starts_with("- ");
    if let Some(first) = lines.next() {
        text.push_str(if is_list { "  " } else { "  - " });
        text.push_str(first);
        text.push('\n');
    }
    for line in lines {
        text.push_str(if is_list { "  " } else { "    " });
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn show<B: Backend>(
    visit: &Visit<'_, B>,
    task: &str,
    metadata: &str,
    answer: Option<&Result<PlanView, Problem>>,
) -> Page {
    let policy = visit.backend.policy();
    let body = html! {
        h1 { "Policy" }
        p.hint { "Version " code { (policy.version()) } ". Every decision is recorded with the version that made it." }
        section.card {
            h2 { "Ask it" }
            p { "Paste a task, or a whole workflow, and see what would be chosen for it now, and why. Nothing is run." }
            form method="post" action="/ui/policy" hx-post="/ui/policy" hx-target="#answer" hx-select="#answer" hx-swap="morph" {
                div.two {
                    label { "Task or workflow, as YAML" textarea.code name="task" rows="7" spellcheck="false" required { (task) } }
                    label { "Metadata of the run, as JSON (may stay empty)" textarea.code name="metadata" rows="7" spellcheck="false" placeholder="{\"urgent\": true}" { (metadata) } }
                }
                button.primary type="submit" { "Ask" }
            }
            div #answer aria-live="polite" {
                @match answer {
                    None => {},
                    Some(Err(problem)) => (say::problem(problem)),
                    Some(Ok(plan)) => (answers(plan)),
                }
            }
        }
        @if visit.is_operator() { (says(policy.canonical())) }
        @else { p.hint { "What the policy says in full is shown to operators." } }
    };
    Page::new("Policy", Section::Policy, body)
}

fn answers(plan: &PlanView) -> Markup {
    html! {
        @for task in plan.tasks.iter().take(SHOWN_MAX) {
            section.answer-card {
                h3 { (task.id) span.hint { " " (task.agent) "." (task.action) } }
                (decision::choice(&task.choice))
                details.more open { summary { "Step by step" } (decision::steps(&task.steps)) }
            }
        }
        @if plan.tasks.len() > SHOWN_MAX { p.hint { "The first " (SHOWN_MAX) " of " (plan.tasks.len()) " tasks are shown." } }
    }
}

/// The whole policy: the rules of the installation first, then every key.
fn says(canonical: &str) -> Markup {
    let whole: Value = serde_json::from_str(canonical).unwrap_or_default();
    let decision = whole
        .get("decision")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let rules = decision
        .get("rules")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    html! {
        section {
            h2 { "Rules, in the order in which they are asked" }
            @if rules.is_empty() {
                p.hint { "This installation has no rules of its own. They go into " code { "orchestrator.yaml" } ", under " code { "decision.rules" } "." }
            } @else {
                ol.rules { @for rule in &rules { li { (one_rule(rule)) } } }
            }
        }
        section {
            h2 { "Keys" }
            table.cards {
                thead { tr { th { "Key" } th { "Value" } } }
                tbody {
                    @for (key, value) in decision.iter().filter(|(key, _)| *key != "rules") {
                        tr { th scope="row" data-label="Key" { code { (key) } } td data-label="Value" { (key_value(value)) } }
                    }
                }
            }
        }
    }
}

fn one_rule(rule: &Value) -> Markup {
    let text = |key: &str| rule.get(key).and_then(Value::as_str);
    let then = rule
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !matches!(key.as_str(), "name" | "when"));
    html! {
        strong { (text("name").unwrap_or("?")) }
        p { @match text("when") { Some(when) => { "when " code { (when) } }, None => "always" } }
        ul.plain { @for (key, value) in then { li { (key.replace('_', " ")) ": " (json::line(value)) } } }
    }
}

fn key_value(value: &Value) -> Markup {
    match value {
        Value::Array(list) if list.is_empty() => html! { span.none { "none" } },
        Value::Array(list) if list.iter().all(|entry| !entry.is_object()) => html! {
            @for entry in list { span.chip { (json::line(entry)) } " " }
        },
        Value::Array(list) => html! { ul.keys { @for entry in list { li { (key_value(entry)) } } } },
        Value::Object(keys) => {
            html! { ul.keys { @for (key, value) in keys { li { span.hint { (key) ": " } (key_value(value)) } } } }
        }
        other => json::line(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_alone_becomes_a_workflow() {
        assert_eq!(
            in_a_workflow("id: a\nparams:\n  x: 1\n"),
            "name: question\ntasks:\n  - id: a\n    params:\n      x: 1\n"
        );
        assert_eq!(
            in_a_workflow("- id: a\n  agent: b\n- {id: c}"),
            "name: question\ntasks:\n  - id: a\n    agent: b\n  - {id: c}\n"
        );
    }
}
