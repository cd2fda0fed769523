//! All runs.

use maud::{Markup, html};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunStatus;
use orchestrator_engine::api::{Backend, Problem};
use orchestrator_engine::views::{RunList, RunSummaryView};

use super::Shown;
use crate::parts::{say, status, time};
use crate::shell::{Page, Section, redirect};
use crate::url;
use crate::visit::Visit;

/// Runs on a page.
const PAGE: usize = 50;
/// Runs that a search looks through.
const SEARCHED: usize = 500;

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>) -> Result<Shown, Problem> {
    let wanted = visit.query.text("q");
    if let Ok(run) = wanted.parse::<RunId>() {
        return Ok(Shown::Other(redirect(&url::run(run))));
    }
    let [state, client, cursor] = ["status", "client", "cursor"].map(|name| visit.query.text(name));
    let limit = if wanted.is_empty() { PAGE } else { SEARCHED };
    let asked = [
        ("status", state),
        ("client", client),
        ("cursor", cursor),
        ("limit", &limit.to_string()),
    ];
    let mut list: RunList = visit.get(&url::with("/runs", &asked)).await?;
    let found_all = list.next_cursor.is_none();
    if !wanted.is_empty() {
        let lower = wanted.to_lowercase();
        list.runs.retain(|run| {
            run.workflow.to_lowercase().contains(&lower)
                || run.id.to_string().to_lowercase().ends_with(&lower)
        });
        list.runs.truncate(PAGE);
    }
    let is_filtered = !(wanted.is_empty() && state.is_empty() && client.is_empty() && cursor.is_empty());
    let body = html! {
        div.head {
            h1 { "Runs" }
            a.button.primary href="/ui/new" { "New run" }
        }
        (filter(visit, wanted, state, client))
        @if list.runs.is_empty() {
            (nothing(is_filtered))
        } @else {
            (table(&list.runs, visit.is_operator()))
        }
        @if !wanted.is_empty() && !found_all {
            p.hint { "The newest " (SEARCHED) " runs were searched. To find an older one, open it by its whole id." }
        }
        @if wanted.is_empty() {
            @let first = url::with("/ui/runs", &[("status", state), ("client", client)]);
            @let next = list.next_cursor.as_deref().map(|next| {
                url::with("/ui/runs", &[("status", state), ("client", client), ("cursor", next)])
            });
            (say::pager("newest first", (!cursor.is_empty()).then_some(first.as_str()), next.as_deref()))
        }
    };
    Ok(Page::new("Runs", Section::Runs, body)
        .live(visit.live(None))
        .into())
}

fn filter<B: Backend>(visit: &Visit<'_, B>, wanted: &str, state: &str, client: &str) -> Markup {
    html! {
        form.filter role="search" method="get" action="/ui/runs" hx-get="/ui/runs" hx-target="#main" hx-swap="morph"
            hx-push-url="true" hx-trigger="submit, change, input delay:300ms" {
            label { span { "Search" }
                input type="search" name="q" value=(wanted) placeholder="workflow, or end of an id" maxlength="200"; }
            label { span { "State" }
                select name="status" {
                    option value="" { "any" }
                    @for status in RunStatus::ALL {
                        option value=(status.as_str()) selected[status.as_str() == state] { (status.as_str().to_lowercase().replace('_', " ")) }
                    }
                }
            }
            @if visit.is_operator() {
                label { span { "Client" } input type="text" name="client" value=(client) maxlength="200"; }
            }
            noscript { button type="submit" { "Search" } }
        }
    }
}

fn nothing(is_filtered: bool) -> Markup {
    match is_filtered {
        true => say::empty(
            "No run is like this",
            html! { a href="/ui/runs" { "Show all runs" } },
        ),
        false => say::empty(
            "Nothing has run here yet",
            html! { a href="/ui/new" { "Start a run" } ", or send one from a terminal: " code { "orchestrator submit FILE" } },
        ),
    }
}

fn table(runs: &[RunSummaryView], shows_client: bool) -> Markup {
    html! {
        table.cards.rows {
            thead { tr {
                th { "State" } th { "Workflow" } th { "Run" } @if shows_client { th { "Client" } }
                th.number { "Tasks" } th { "Submitted" } th { "Took" }
            } }
            tbody {
                @for run in runs {
                    tr id=(format!("run-{}", run.id)) {
                        td data-label="State" { (status::run(run.status)) }
                        th scope="row" data-label="Workflow" { a.main href=(url::run(run.id)) { (run.workflow) } }
                        td data-label="Run" { code title=(run.id) { "…" (url::short(run.id)) } }
                        @if shows_client { td data-label="Client" { (run.client_id) } }
                        td.number data-label="Tasks" { (run.tasks) }
                        td data-label="Submitted" { (time::at(run.submitted_at)) }
                        td data-label="Took" { (time::took(run.submitted_at, run.finished_at)) }
                    }
                }
            }
        }
    }
}
