//! A new run: an editor with the validator's problems and the graph beside it.
//!
//! A sentence is another way to say what is to run: see [`super::sentence`].

use http::Method;
use maud::{Markup, html};
use orchestrator_engine::api::workflows::SubmittedView;
use orchestrator_engine::api::{Backend, Code, Problem};
use orchestrator_engine::views::PlanView;
use serde_json::{Map, Value, json};

use super::{Shown, decision};
use crate::graph::{self, Links};
use crate::parts::{icon, say};
use crate::shell::{Page, Section, redirect};
use crate::url;
use crate::visit::Visit;

/// Planned tasks in the table.
const LISTED_MAX: usize = 200;

const SAMPLE: &str = "\
name: first_steps
tasks:
  - id: prepare
    agent: noop
    action: prepare
    params: {output: {rows: 1200}}
  - id: fit
    agent: sleep
    action: train_model
    depends_on: [prepare]
    params: {seconds: 3}
  - id: check
    agent: sleep
    action: evaluate
    depends_on: [prepare]
    params: {seconds: 1}
  - id: report
    agent: noop
    action: report
    depends_on: [fit, check]
    params: {output: \"${tasks.prepare.output.rows}\"}
";

/// What is in the form.
struct Draft<'a> {
    dsl: &'a str,
    inputs: &'a str,
    priority: &'a str,
    client: &'a str,
}

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>) -> Result<Page, Problem> {
    let draft = Draft {
        dsl: SAMPLE,
        inputs: "",
        priority: "",
        client: "",
    };
    let plan = ask(visit, &draft, "plan").await;
    Ok(show(visit, &draft, &plan))
}

/// Looks at the document, or starts it.
pub async fn send<B: Backend>(visit: &Visit<'_, B>) -> Result<Shown, Problem> {
    let form = &visit.form;
    let draft = Draft {
        dsl: form.whole("dsl"),
        inputs: form.text("inputs"),
        priority: form.text("priority"),
        client: form.text("client_id"),
    };
    if form.text("do") == "check" {
        let plan = ask(visit, &draft, "plan").await;
        return Ok(show(visit, &draft, &plan).into());
    }
    match ask::<_, SubmittedView>(visit, &draft, "run").await {
        Ok(started) => {
            let to = url::with(&url::run(started.id), &[("did", "new")]);
            Ok(Shown::Other(redirect(&to)))
        }
        Err(problem) => {
            let mut page = show(visit, &draft, &Err(problem.clone()));
            page.status = http::StatusCode::from_u16(problem.status).unwrap_or(page.status);
            Ok(page.into())
        }
    }
}

async fn ask<B: Backend, T: serde::de::DeserializeOwned>(
    visit: &Visit<'_, B>,
    draft: &Draft<'_>,
    mode: &str,
) -> Result<T, Problem> {
    let mut body = json!({"dsl": draft.dsl});
    if !draft.inputs.is_empty() {
        let inputs: Map<String, Value> = serde_json::from_str(draft.inputs).map_err(|error| {
            let detail = format!("the inputs are no JSON object: {error} (as in {{\"path\": \"data.csv\"}})");
            Problem::new(Code::Malformed, detail)
        })?;
        body["inputs"] = Value::Object(inputs);
    }
    if !draft.priority.is_empty() {
        let priority: u8 = draft.priority.parse().map_err(|_| {
            Problem::new(
                Code::BadPriority,
                "the priority is no number (1 to 10, 10 is most urgent)",
            )
        })?;
        body["priority"] = json!(priority);
    }
    if !draft.client.is_empty() {
        body["client_id"] = json!(draft.client);
    }
    visit
        .ask(Method::POST, &format!("/workflows?mode={mode}"), Some(&body))
        .await
}

fn show<B: Backend>(visit: &Visit<'_, B>, draft: &Draft<'_>, plan: &Result<PlanView, Problem>) -> Page {
    let body = html! {
        div.head { h1 { "New run" } a.button href="/ui/ask" { "Say it in a sentence" } }
        form.new-run method="post" action="/ui/new" {
            div.columns.even {
                section {
                    h2 #dsl-name { "Workflow" }
                    div.editor {
                        ol.gutter aria-hidden="true" {}
                        textarea #dsl.code name="dsl" rows="26" spellcheck="false" wrap="off" required aria-labelledby="dsl-name" aria-describedby="result"
                            hx-post="/ui/new" hx-trigger="input changed delay:400ms" hx-include="closest form" hx-vals="{\"do\":\"check\"}"
                            hx-target="#result" hx-select="#result" hx-swap="morph" hx-sync="this:replace" { (draft.dsl) }
                    }
                    (agents(visit))
                    div.two {
                        label { "Inputs, as JSON (may stay empty)" textarea.code name="inputs" rows="3" spellcheck="false" placeholder="{\"path\": \"data.csv\"}" { (draft.inputs) } }
                        div {
                            label { "Priority (10 is most urgent)" input type="number" name="priority" min="1" max="10" value=(draft.priority) placeholder="5"; }
                            @if visit.is_operator() { label { "On behalf of client" input type="text" name="client_id" value=(draft.client) maxlength="200" placeholder=(visit.caller.client_id); } }
                        }
                    }
                    div.actions {
                        button.primary type="submit" name="do" value="start" { "Start the run" }
                        button type="submit" name="do" value="check" { "Check" }
                    }
                }
                section #result aria-live="polite" { (result(visit, plan)) }
            }
        }
    };
    Page::new("New run", Section::New, body)
}

fn agents<B: Backend>(visit: &Visit<'_, B>) -> Markup {
    const NAMED_MAX: usize = 30;
    html! {
        @if let Some(agents) = &visit.backend.intake().agents {
            p.hint { "Agents here: " @for agent in agents.iter().take(NAMED_MAX) { code { (agent) } " " } @if agents.len() > NAMED_MAX { "…" } }
        }
    }
}

struct Nowhere;

impl Links for Nowhere {
    fn task(&self, _: &str) -> Option<String> {
        None
    }

    fn group(&self, _: usize) -> Option<String> {
        None
    }
}

fn result<B: Backend>(visit: &Visit<'_, B>, plan: &Result<PlanView, Problem>) -> Markup {
    match plan {
        Err(problem) => html! { h2 { "Problems" } (say::problem(problem)) },
        Ok(found) => html! {
            h2 { "What it would do" }
            p.fine { (icon::use_("success")) " The document is valid: " (found.tasks.len()) " tasks in " (found.stages) " stages. The choices are those the policy would make now." }
            (self::plan(visit, found))
        },
    }
}

/// The graph of a plan, and the decisions.
pub fn plan<B: Backend>(visit: &Visit<'_, B>, plan: &PlanView) -> Markup {
    let items = graph::of_plan(plan);
    let folded = graph::fold(&items);
    html! {
        (graph::draw(&items, &folded, &visit.console.layouts, &Nowhere))
        table.cards {
            thead { tr { th.number { "Stage" } th { "Task" } th { "Decision" } th { "Where" } th { "Why" } } }
            tbody {
                @for task in plan.tasks.iter().take(LISTED_MAX) {
                    tr {
                        td.number data-label="Stage" { (task.stage) }
                        th scope="row" data-label="Task" { (task.id) }
                        td data-label="Decision" { (decision::verdict(&task.decision)) }
                        td data-label="Where" { (task.choice.resource_class) ", " (task.choice.memory_gb) " GB, p" (task.choice.priority) }
                        td.why data-label="Why" { (say::sentence(&task.choice.reason)) }
                    }
                }
            }
        }
        @if plan.tasks.len() > LISTED_MAX { p.hint { "The first " (LISTED_MAX) " of " (plan.tasks.len()) " tasks are listed." } }
    }
}
