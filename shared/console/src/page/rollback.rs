//! Taking a run back: what it would do, why, and doing exactly that.

use http::Method;
use maud::{Markup, html};
use orchestrator_core::ids::RunId;
use orchestrator_engine::api::{Backend, Problem};
use orchestrator_engine::views::rollback::{PlannedTaskView, RollbackView};
use orchestrator_engine::views::{RollbackAnswer, RollbackList, RollbackPlanView, RunView};
use serde_json::{Value, json};

use super::{Shown, run};
use crate::form::Fields;
use crate::parts::{json, say, status, time};
use crate::shell::{Page, Section, redirect};
use crate::url;
use crate::visit::Visit;

/// Tasks of a plan that a page lists.
const LISTED_MAX: usize = 500;

/// The page: a form, the preview of what it asks, and what was taken back before.
pub async fn page<B: Backend>(visit: &Visit<'_, B>, run: &str) -> Result<Page, Problem> {
    let (view, ()) = visit.run(run, |_| ()).await?;
    show(visit, &view, None).await
}

async fn show<B: Backend>(
    visit: &Visit<'_, B>,
    view: &RunView,
    refused: Option<&Problem>,
) -> Result<Page, Problem> {
    // After a refusal the preview is made anew from what was asked in the form.
    let asked = if refused.is_some() {
        &visit.form
    } else {
        &visit.query
    };
    let preview = match target(asked) {
        None => None,
        Some(mut body) => {
            body["dry_run"] = json!(true);
            let path = format!("/runs/{}/rollback", view.id);
            Some(
                visit
                    .ask::<RollbackAnswer>(Method::POST, &path, Some(&body))
                    .await,
            )
        }
    };
    let before: RollbackList = visit.get(&format!("/runs/{}/rollbacks", view.id)).await?;
    let body = html! {
        (run::crumbs(view.id, &view.workflow, Some("Roll back")))
        div.head { h1 { "Roll back " (view.workflow) } (status::run(view.status)) }
        @if let Some(refused) = refused {
            (say::problem(refused))
            p { "Nothing was changed. Below is what it would do now." }
        }
        (ask_for(view.id, asked))
        @match &preview {
            None => p.hint { "Nothing happens yet: first you see exactly what it would do." },
            Some(Err(problem)) => (say::problem(problem)),
            Some(Ok(answer)) => { (plan(&answer.plan)) (apply_form(view.id, asked, &answer.plan)) },
        }
        @if !before.rollbacks.is_empty() {
            section {
                h2 { "Taken back before" }
                @for rollback in before.rollbacks.iter().rev() { (past(view.id, rollback)) }
            }
        }
    };
    let mut page = Page::new(format!("Roll back {}", view.workflow), Section::Runs, body);
    page.status = refused.map_or(page.status, |refused| {
        http::StatusCode::from_u16(refused.status).unwrap_or(http::StatusCode::CONFLICT)
    });
    Ok(page)
}

/// What is asked for, as the API takes it; none: nothing yet.
fn target(fields: &Fields) -> Option<Value> {
    let mut body = match (fields.text("to_task"), fields.text("steps")) {
        ("", "") => return None,
        ("", steps) => json!({"steps": steps.parse::<u32>().unwrap_or(0)}),
        (task, _) => json!({"to_task": task}),
    };
    body["fresh"] = json!(fields.has("fresh"));
    Some(body)
}

fn ask_for(run: RunId, asked: &Fields) -> Markup {
    let here = url::of_run(run, "rollback");
    let steps = match asked.text("steps") {
        "" if asked.text("to_task").is_empty() => "1",
        steps => steps,
    };
    html! {
        form.filter method="get" action=(here) {
            label { span { "Steps back" } input type="number" name="steps" min="1" max="100000" value=(steps); }
            span.or { "or" }
            label { span { "back to task" } input type="text" name="to_task" value=(asked.text("to_task")) maxlength="500" placeholder="name of a task"; }
            label.check { input type="checkbox" name="fresh" value="yes" checked[asked.has("fresh")]; span { "without checkpoints" } }
            button.primary type="submit" { "Preview" }
        }
    }
}

fn plan(plan: &RollbackPlanView) -> Markup {
    html! {
        section.plan {
            h2 { "What it would do: " (plan.asked) }
            ul {
                li { strong { (plan.tasks.len()) } @if plan.tasks.len() == 1 { " task goes" } @else { " tasks go" } " back to PENDING, and " strong { (time::duration(plan.redo_ms)) } " of work is done again." }
                @if plan.reopens { li { "The run has ended; it goes on, and its deadlines start over." } }
                @if plan.fresh { li { "Tasks start without their checkpoints." } }
                @if !plan.resumed.is_empty() {
                    li { "Beside them, " (plan.resumed.len()) " tasks that were cancelled with the run go on: "
                        @for task in plan.resumed.iter().take(20) { q { (task.task) } " " } }
                }
            }
            (tree(plan))
            @if !plan.compensations.is_empty() {
                h3 { "Undone first, one after the other" }
                ol {
                    @for undo in &plan.compensations {
                        li { strong { (undo.task) } " by " code { (undo.agent) "." (undo.action) } @if !json::is_empty(&undo.params) { (json::block(&undo.params)) } }
                    }
                }
            }
        }
    }
}

/// The tasks under the first task of the set that each depends on.
fn tree(plan: &RollbackPlanView) -> Markup {
    let shown = &plan.tasks[..plan.tasks.len().min(LISTED_MAX)];
    let mut depths: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    html! {
        ol.tree aria-label="Tasks that are taken back, upstream first" {
            @for task in shown {
                @let depth = task.depends_on.iter().filter_map(|up| depths.get(up.as_str())).max().map_or(0, |depth| depth + 1);
                @let _known = depths.insert(&task.task, depth);
                li class=(format!("depth-{}", depth.min(8))) {
                    div { (status::task(task.status)) " " strong { (task.task) }
                        span.hint { " epoch " (task.epoch) " → " (task.new_epoch) ", " (task.why) } }
                    div.effects { (effects(task)) }
                }
            }
        }
        @if plan.tasks.len() > LISTED_MAX { p.hint { "… and " (plan.tasks.len() - LISTED_MAX) " more." } }
    }
}

fn effects(task: &PlannedTaskView) -> Markup {
    html! {
        @for stop in &task.stops { span.chip.danger { "stops attempt " (stop.attempt) " of " (stop.task) } " " }
        @if !task.leaves_line.is_empty() { span.chip { "leaves its line" } " " }
        @if let Some(bytes) = task.drops_output_bytes { span.chip { "output dropped (" (time::bytes(bytes)) ")" } " " }
        @if task.drops_items > 0 { span.chip { (task.drops_items) " items dropped" } " " }
        @if task.drops_cached { span.chip { "memoised result dropped" } " " }
        @if let Some(checkpoint) = &task.checkpoint { span.chip.good { "goes on from the checkpoint of attempt " (checkpoint.attempt) } " " }
        @if task.drops_checkpoint { span.chip { "checkpoint dropped" } " " }
        @if task.redo_ms > 0 { span.chip { (time::duration(task.redo_ms)) " of work" } }
    }
}

fn apply_form(run: RunId, asked: &Fields, plan: &RollbackPlanView) -> Markup {
    html! {
        form.card.apply method="post" action=(url::of_run(run, "rollback")) {
            h2 { "Apply" }
            p { "Exactly this is done, or, if the run has moved on in a way that changes it, nothing." }
            input type="hidden" name="plan_token" value=(plan.plan_token);
            input type="hidden" name="steps" value=(asked.text("steps"));
            input type="hidden" name="to_task" value=(asked.text("to_task"));
            @if asked.has("fresh") { input type="hidden" name="fresh" value="yes"; }
            label for="reason" { "Why? (required, kept with the run)" }
            input #reason type="text" name="reason" maxlength="1000" required;
            div.actions {
                button.danger type="submit" { "Roll back " (plan.tasks.len()) @if plan.tasks.len() == 1 { " task" } @else { " tasks" } }
                a.button href=(url::run(run)) { "Leave it" }
            }
            p.hint { "Plan " code { (plan.plan_token) } }
        }
    }
}

fn past(run: RunId, rollback: &RollbackView) -> Markup {
    let (look, word) = match rollback.progress.state.as_str() {
        "done" => ("success", "done"),
        "stopped" => ("failed", "stopped"),
        "cancelled" => ("cancelled", "cancelled"),
        _ => ("running", "undoing"),
    };
    html! {
        details.more {
            summary { "Rollback " (rollback.number) ", " (time::at(rollback.at)) ", by " (rollback.by) " " (status::badge(look, word)) }
            p { (say::sentence(&rollback.reason)) }
            @if let Some(action) = &rollback.progress.action { p { "It is at " a href=(url::task(run, action)) { (action) } "." } }
            @if let Some(error) = &rollback.progress.error { p.problem { (error) } }
            @if let Some(done) = &rollback.plan { (plan(done)) }
        }
    }
}

/// Applies what was previewed. When it is refused, the page is shown again with what it would do now.
pub async fn apply<B: Backend>(visit: &Visit<'_, B>, run: &str) -> Result<Shown, Problem> {
    let (view, ()) = visit.run(run, |_| ()).await?;
    let mut body = target(&visit.form).unwrap_or_else(|| json!({}));
    body["reason"] = json!(visit.form.text("reason"));
    body["plan_token"] = json!(visit.form.text("plan_token"));
    let path = format!("/runs/{}/rollback", view.id);
    match visit
        .ask::<RollbackAnswer>(Method::POST, &path, Some(&body))
        .await
    {
        Ok(_) => {
            let to = url::with(&url::run(view.id), &[("did", "rollback")]);
            Ok(Shown::Other(redirect(&to)))
        }
        Err(problem) => Ok(show(visit, &view, Some(&problem)).await?.into()),
    }
}
