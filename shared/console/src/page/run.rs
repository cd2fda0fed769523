//! What all views of a run have above them: its state, what is wrong, what can be done.

use http::Method;
use maud::{Markup, html};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunStatus;
use orchestrator_engine::api::{Backend, Code, Problem};
use orchestrator_engine::views::{RunSummaryView, RunView};
use serde_json::json;

use super::Shown;
use crate::parts::counts::Counts;
use crate::parts::{json, say, status, time};
use crate::shell::{Page, Section, redirect};
use crate::url;
use crate::visit::Visit;

/// A view of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    Graph,
    Timeline,
    Tasks,
    Events,
}

const VIEWS: [(View, &str, &str); 4] = [
    (View::Graph, "Graph", ""),
    (View::Timeline, "Timeline", "timeline"),
    (View::Tasks, "Tasks", "tasks"),
    (View::Events, "Events", "events"),
];

/// The page of a view.
pub fn page<B: Backend>(visit: &Visit<'_, B>, run: &RunView, view: View, body: Markup) -> Page {
    let body = html! {
        (crumbs(run.id, &run.workflow, None))
        div.head {
            h1 { (run.workflow) } (status::run(run.status))
            (actions(run))
        }
        (said(visit.query.text("did")))
        @if let Some(description) = &run.description { p.description { (description) } }
        (trouble(run))
        (facts(run))
        nav.tabs aria-label="Views of the run" {
            @for (this, name, path) in VIEWS {
                @let to = match path { "" => url::run(run.id), path => url::of_run(run.id, path) };
                a href=(to) aria-current=[(this == view).then_some("page")] { (name) }
            }
        }
        (body)
    };
    let page = Page::new(format!("{} {}", run.workflow, run.status), Section::Runs, body);
    match run.status.is_terminal() && run.rollback.is_none() {
        // A run that has ended may be opened again, by somebody else too.
        true => page.live("poll".to_owned()),
        false => page.live(visit.live(Some(run.id))),
    }
}

/// The way back.
pub fn crumbs(run: RunId, workflow: &str, below: Option<&str>) -> Markup {
    html! {
        nav.crumbs aria-label="Where you are" {
            a href="/ui/runs" { "Runs" } " / "
            @match below {
                None => span aria-current="page" title=(run) { "…" (url::short(run)) },
                Some(below) => {
                    a href=(url::run(run)) title=(run) { (workflow) " …" (url::short(run)) }
                    " / " span aria-current="page" { (below) }
                },
            }
        }
    }
}

/// What has just been done.
pub fn said(did: &str) -> Markup {
    let text = match did {
        "cancel" => "The run is cancelled. What was running is being stopped.",
        "pause" => "The run is paused: what runs goes on, nothing new is decided.",
        "resume" => "The run goes on.",
        "retry" => "The run starts again from where it failed.",
        "priority" => "The priority is set; it counts for everything that waits from now on.",
        "rollback" => "The run was taken back as it was previewed.",
        "approve" => "The task is approved.",
        "reject" => "The task is rejected.",
        "rerun" => "The task, and everything downstream of it, is done again.",
        "new" => "The run was started.",
        _ => return html! {},
    };
    html! { p.said role="status" { (text) } }
}

fn facts(run: &RunView) -> Markup {
    let counts = Counts::of(&run.counts);
    html! {
        div.progress {
            (counts.bar())
            ul.legend aria-label="Tasks by state" {
                @for (state, count) in counts.iter() {
                    li {
                        a href=(url::with(&url::of_run(run.id, "tasks"), &[("status", state.as_str())])) {
                            strong { (count) } " " (status::task(state))
                        }
                    }
                }
            }
        }
        dl.facts {
            div { dt { "Run" } dd { code.whole { (run.id) } } }
            div { dt { "Client" } dd { (run.client_id) } }
            div { dt { "Submitted" } dd { (time::at(run.submitted_at)) } }
            @if let Some(finished) = run.finished_at { div { dt { "Ended" } dd { (time::at(finished)) } } }
            div { dt { "Took" } dd { (time::took(run.submitted_at, run.finished_at)) } }
            @if let Some(priority) = run.priority { div { dt { "Priority" } dd { (priority) " of 10" } } }
            @if let Some(deadline) = &run.deadline { div { dt { "Due" } dd { (time::at(deadline.deadline)) } } }
        }
        @if !json::is_empty(&run.inputs) || !json::is_empty(&run.metadata) {
            details.more {
                summary { "Inputs and metadata" }
                div.two {
                    div { h3 { "Inputs" } (json::block(&run.inputs)) }
                    div { h3 { "Metadata" } (json::block(&run.metadata)) }
                }
            }
        }
    }
}

/// What somebody should know first.
fn trouble(run: &RunView) -> Markup {
    html! {
        @if let Some(cancelled) = &run.cancelled {
            p.note { "Cancelled by " strong { (cancelled.by) } ": " (cancelled.reason) }
        }
        @if run.status == RunStatus::Pending {
            p.note { "This run has not begun: client " strong { (run.client_id) }
                " has as many runs as it may have at a time. It begins when one of them ends." }
        }
        @if let Some(rollback) = &run.rollback {
            div.note.warning role="status" {
                strong { "A rollback has undone " (rollback.undone) " of " (rollback.compensations) "." }
                @if let Some(action) = &rollback.action {
                    " It is at " a href=(url::task(run.id, action)) { (action) } "; nothing is done again before that."
                }
                @if let Some(error) = &rollback.error { p { (say::sentence(error)) } }
            }
        }
        @if !run.violations.is_empty() {
            div.note.warning role="status" {
                strong { (run.violations.len()) @if run.violations.len() == 1 { " deadline was missed." } @else { " deadlines were missed." } }
                ul {
                    @for late in run.violations.iter().take(5) {
                        li {
                            @match &late.task {
                                Some(task) => a href=(url::task(run.id, task)) { (task) },
                                None => "the run",
                            }
                            " (" (late.kind.as_str()) "), due " (time::at(late.deadline)) ", " (late.severity.as_str())
                        }
                    }
                }
            }
        }
    }
}

fn actions(run: &RunView) -> Markup {
    let to = |verb: &str| url::of_run(run.id, verb);
    let is_open = !run.status.is_terminal();
    html! {
        div.actions {
            @match run.status {
                RunStatus::Running => (simple(&to("pause"), "Pause")),
                RunStatus::Paused => (simple(&to("resume"), "Resume")),
                RunStatus::Failed | RunStatus::Cancelled => (simple(&to("retry"), "Retry what failed")),
                _ => {},
            }
            a.button href=(to("rollback")) { "Roll back…" }
            @if is_open {
                details.menu {
                    summary.button { "Priority…" }
                    form method="post" action=(to("priority")) data-keep {
                        label { "Priority, 10 is most urgent"
                            input type="number" name="priority" min="1" max="10" required value=(run.priority.unwrap_or(5)); }
                        button type="submit" { "Set priority" }
                    }
                }
                details.menu {
                    summary.button.danger { "Cancel…" }
                    form method="post" action=(to("cancel")) data-keep {
                        p { "What runs is stopped, and what has not begun is not done. It can be retried later." }
                        label { "Why? (kept with the run)" input type="text" name="reason" maxlength="1000"; }
                        button.danger type="submit" { "Cancel the run" }
                    }
                }
            }
        }
    }
}

/// A button that needs no more words.
pub fn simple(to: &str, name: &str) -> Markup {
    html! { form.inline method="post" action=(to) { button type="submit" { (name) } } }
}

/// Carries out an operation on a run.
pub async fn act<B: Backend>(visit: &Visit<'_, B>, run: &str, verb: &str) -> Result<Shown, Problem> {
    let id: RunId = run
        .parse()
        .map_err(|_| orchestrator_engine::api::runs::unknown(run))?;
    let reason = visit.form.text("reason");
    let (method, path, body) = match verb {
        "priority" => {
            let priority: u8 = visit.form.number("priority").ok_or_else(|| {
                let detail = "the priority is no number (1 to 10, 10 is most urgent)";
                Problem::new(Code::BadPriority, detail)
            })?;
            (
                Method::PATCH,
                format!("/runs/{id}"),
                json!({"priority": priority}),
            )
        }
        "cancel" if !reason.is_empty() => (
            Method::POST,
            format!("/runs/{id}/cancel"),
            json!({"reason": reason}),
        ),
        verb => (Method::POST, format!("/runs/{id}/{verb}"), json!({})),
    };
    let _: RunSummaryView = visit.ask(method, &path, Some(&body)).await?;
    Ok(Shown::Other(redirect(&url::with(
        &url::run(id),
        &[("did", verb)],
    ))))
}
