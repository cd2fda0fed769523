//! A new run from a sentence: what it would come to is shown first, and then exactly that is started.

use http::Method;
use maud::{Markup, html};
use orchestrator_engine::api::workflows::SubmittedView;
use orchestrator_engine::api::{Backend, Code, Problem};
use orchestrator_engine::views::translation::{EstimateView, ProposalView, TranslationAccepted};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Shown, new};
use crate::parts::{json, say, time};
use crate::shell::{Page, Section, redirect};
use crate::url;
use crate::visit::Visit;

/// What a sentence is answered with: its plan, or that it is being translated.
#[derive(Deserialize)]
#[serde(untagged)]
enum Proposed {
    Plan(Box<ProposalView>),
    Later(TranslationAccepted),
}

/// The page, with the sentence of `?text=`, if there is one, filled in.
pub fn page<B: Backend>(visit: &Visit<'_, B>) -> Page {
    show(visit, visit.query.text("text"), None)
}

/// Translates the sentence, or starts the plan that was shown.
pub async fn send<B: Backend>(visit: &Visit<'_, B>) -> Result<Shown, Problem> {
    let form = &visit.form;
    let text = form.text("text");
    if form.text("do") != "start" {
        let body = json!({"natural_language": text});
        let proposal = visit
            .ask::<Proposed>(Method::POST, "/workflows?mode=plan", Some(&body))
            .await;
        return Ok(show(visit, text, Some(&proposal)).into());
    }
    match start(visit).await {
        Ok(started) => {
            let to = url::with(&url::run(started.id), &[("did", "new")]);
            Ok(Shown::Other(redirect(&to)))
        }
        Err(problem) => {
            let mut page = show(visit, text, Some(&Err(problem.clone())));
            page.status = http::StatusCode::from_u16(problem.status).unwrap_or(page.status);
            Ok(page.into())
        }
    }
}

async fn start<B: Backend>(visit: &Visit<'_, B>) -> Result<SubmittedView, Problem> {
    let mut body = json!({"plan_token": visit.form.text("plan_token")});
    let inputs = visit.form.text("inputs");
    if !inputs.is_empty() {
        let inputs: Map<String, Value> = serde_json::from_str(inputs).map_err(|error| {
            let detail = format!("the inputs are no JSON object: {error} (as in {{\"path\": \"data.csv\"}})");
            Problem::new(Code::Malformed, detail)
        })?;
        body["inputs"] = Value::Object(inputs);
    }
    visit.ask(Method::POST, "/workflows?mode=run", Some(&body)).await
}

fn show<B: Backend>(visit: &Visit<'_, B>, text: &str, proposal: Option<&Result<Proposed, Problem>>) -> Page {
    let characters = visit.backend.intake().translation.prompt_chars_max;
    let body = html! {
        h1 { "New run from a sentence" }
        form.card method="post" action="/ui/ask" {
            label for="text" { "What is to be done?" }
            textarea #text name="text" rows="3" required maxlength=(characters) placeholder="clean customers.csv, train a model on it and send me a report" { (text) }
            div.actions {
                button.primary type="submit" name="do" value="translate" { "Show the plan" }
                a href="/ui/new" { "Write the workflow instead" }
            }
            p.hint { "Nothing runs before you have seen what it would come to." }
        }
        @match proposal {
            None => {},
            Some(Err(problem)) => { (say::problem(problem)) (suggestions(problem)) },
            Some(Ok(Proposed::Plan(proposal))) => (proposed(visit, text, proposal)),
            Some(Ok(Proposed::Later(accepted))) => (later(text, accepted)),
        }
    };
    Page::new("New run from a sentence", Section::New, body)
}

/// A model is asked, which takes longer than a page may.
fn later(text: &str, accepted: &TranslationAccepted) -> Markup {
    html! {
        section.card {
            h2 { "It is being translated" }
            p { "A model is asked, which takes some seconds." }
            p.hint { "Translation " (accepted.token) }
            form method="post" action="/ui/ask" {
                input type="hidden" name="text" value=(text);
                button.primary type="submit" name="do" value="translate" { "Look again" }
            }
        }
    }
}

/// What could be asked for instead.
fn suggestions(problem: &Problem) -> Markup {
    html! {
        @if !problem.suggestions.is_empty() {
            section {
                h2 { "This could be asked for" }
                ul.waits {
                    @for suggestion in &problem.suggestions {
                        li {
                            a href=(url::with("/ui/ask", &[("text", &suggestion.example)])) { (suggestion.example) }
                            span.hint { " " (suggestion.agent) "." (suggestion.action) ": " (suggestion.description) }
                        }
                    }
                }
            }
        }
    }
}

fn proposed<B: Backend>(visit: &Visit<'_, B>, text: &str, proposal: &ProposalView) -> Markup {
    html! {
        div {
            section.card {
                h2 { "What it comes to" }
                p { "The translator (" (proposal.translator) ") is " strong { (format!("{:.0} %", proposal.confidence * 100.0)) } " sure." }
                @if !proposal.notes.is_empty() { ul { @for note in &proposal.notes { li { (say::with_names(note)) } } } }
                p { (estimate(&proposal.estimate)) }
                form method="post" action="/ui/ask" {
                    input type="hidden" name="plan_token" value=(proposal.plan_token);
                    input type="hidden" name="text" value=(text);
                    @if !proposal.needs.is_empty() {
                        label {
                            "Inputs, as JSON. It needs " (proposal.needs.join(", "))
                            textarea.code name="inputs" rows="3" required spellcheck="false" {}
                        }
                    }
                    button.primary type="submit" name="do" value="start" { "Start exactly this" }
                }
                details.more { summary { "The workflow" } (json::block(&proposal.dsl)) }
            }
            section.card.graph-view { h2 { "The decisions it would get now" } (new::plan(visit, &proposal.plan)) }
        }
    }
}

fn estimate(estimate: &EstimateView) -> String {
    let millis = |seconds: f64| time::duration((seconds * 1e3) as u64);
    let mut text = format!(
        "About {} of work, {} from beginning to end when nothing waits",
        millis(estimate.task_seconds),
        millis(estimate.elapsed_seconds)
    );
    if let Some(dollars) = estimate.cost_usd {
        text.push_str(&format!(", {dollars:.2} US dollars for machines"));
    }
    if !estimate.unknown.is_empty() {
        text.push_str(&format!("; nothing is known of {}", estimate.unknown.join(", ")));
    }
    text.push('.');
    text
}
