//! Deadlines: what is late, what may become late, what does not move, how long tasks take.

use maud::{Markup, html};
use orchestrator_core::sla::Lateness;
use orchestrator_engine::api::{Backend, Problem};
use orchestrator_engine::views::{AtRiskView, LateView, SlaView, StallView};

use super::agents;
use crate::parts::{icon, say, status, time};
use crate::shell::{Page, Section};
use crate::url;
use crate::visit::Visit;

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>) -> Result<Page, Problem> {
    let board: SlaView = visit.get("/sla?limit=50").await?;
    let is_quiet = board.active.is_empty() && board.at_risk.is_empty() && board.stalled.is_empty();
    let body = html! {
        h1 { "Deadlines" }
        @if let Some(note) = &board.note { p.note { (say::sentence(note)) } }
        @if is_quiet {
            div.empty.good { h2 { (icon::use_("success")) " Nothing is late, nothing is about to be, and every run moves" }
                p { "What misses a deadline shows up here at once." } }
        }
        @if !board.active.is_empty() {
            section { h2 { "Late now" span.hint { ", " (board.active_total) } } (late(&board.active, true)) }
        }
        @if !board.stalled.is_empty() { section { h2 { "Not moving" } (stalled(&board.stalled)) } }
        @if !board.at_risk.is_empty() { section { h2 { "May become late" } (at_risk(&board.at_risk)) } }
        @if !board.recent.is_empty() { section { h2 { "Lately" } (late(&board.recent, false)) } }
        @if !board.agents.is_empty() { section { h2 { "How long tasks take" } (agents::times(&board.agents)) } }
    };
    Ok(Page::new("Deadlines", Section::Deadlines, body).live(visit.live(None)))
}

fn late(rows: &[LateView], are_active: bool) -> Markup {
    html! {
        table.cards {
            thead { tr { th { "How bad" } th { "What" } th { "Run" } th { "Was due" } th { "Late by" } th { "What it says" } } }
            tbody {
                @for row in rows {
                    @let alert = &row.alert;
                    tr id=(alert.id) {
                        td data-label="How bad" { (severity(row)) }
                        th scope="row" data-label="What" {
                            @match &alert.task { Some(task) => a.main href=(url::task(alert.run_id, task)) { (task) }, None => "the run" }
                            span.hint { " " (alert.deadline_kind.as_str()) }
                        }
                        td data-label="Run" { a href=(url::run(alert.run_id)) { (alert.workflow) } span.hint { " …" (url::short(alert.run_id)) } }
                        td data-label="Was due" { (time::maybe(alert.deadline)) }
                        td data-label="Late by" {
                            @match (alert.deadline, row.late_ms) {
                                (Some(deadline), _) if are_active => (time::running(deadline)),
                                (_, Some(millis)) => (time::duration(millis)),
                                _ => span.none { "–" },
                            }
                        }
                        td.why data-label="What it says" {
                            (say::sentence(&alert.text))
                            @if let Some(at) = row.resolved_at { span.hint { " Over " (time::at(at)) "." } }
                        }
                    }
                }
            }
        }
    }
}

fn severity(row: &LateView) -> Markup {
    match row.severity {
        Some(severity @ (Lateness::High | Lateness::Critical)) => status::badge("failed", severity.as_str()),
        Some(severity) => status::badge("warning", severity.as_str()),
        None => status::badge("ready", "warning"),
    }
}

fn stalled(rows: &[StallView]) -> Markup {
    html! {
        ul.waits {
            @for row in rows {
                li {
                    (status::badge("held", "not moving")) " "
                    a href=(url::run(row.run_id)) { (row.workflow) " …" (url::short(row.run_id)) } ": " (say::sentence(&row.text))
                    " " (row.tasks) " like " a href=(url::task(row.run_id, &row.task)) { (row.task) } ", " (time::running(row.since)) "."
                }
            }
        }
    }
}

fn at_risk(rows: &[AtRiskView]) -> Markup {
    html! {
        table.cards {
            thead { tr { th { "Task" } th { "Work" } th { "Has run" } th { "95 of 100 took" } th { "Due" } } }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" data-label="Task" { a.main href=(url::task(row.run_id, &row.task)) { (row.task) } }
                        td data-label="Work" { (row.agent) "." (row.action) }
                        td data-label="Has run" { (time::duration(row.running_ms)) }
                        td data-label="95 of 100 took" { "up to " (time::duration(row.usual_ms)) }
                        td data-label="Due" { (time::at(row.deadline)) }
                    }
                }
            }
        }
    }
}
