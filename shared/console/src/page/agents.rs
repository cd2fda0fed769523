//! Agents: which there are, how many attempts they may have at a time, how long they take.

use std::collections::BTreeSet;

use maud::{Markup, html};
use orchestrator_engine::api::{Backend, Problem};
use orchestrator_engine::views::{AgentView, PoolList, SlaView};

use crate::parts::{say, time};
use crate::shell::{Page, Section};
use crate::visit::Visit;

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>) -> Result<Page, Problem> {
    let board: SlaView = visit.get("/sla?limit=1").await?;
    let pools: PoolList = visit.get("/pools").await?;
    let configured = visit.backend.intake().agents.as_ref();
    let seen = board.agents.iter().map(|times| times.agent.as_str());
    let names: BTreeSet<&str> = configured
        .into_iter()
        .flatten()
        .map(String::as_str)
        .chain(seen)
        .collect();
    let body = html! {
        h1 { "Agents" }
        @if configured.is_none() {
            p.hint { "This host takes any agent: each is where its queue is. Shown are those that have worked." }
        }
        @if names.is_empty() {
            (say::empty("No agent is known", html! { "Agents are configured in " code { "orchestrator.yaml" } ", under " code { "agents" } "." }))
        } @else {
            table.cards {
                thead { tr { th { "Agent" } th { "At work" } th.number { "Attempts" } th.number { "In time" } th { "Actions" } } }
                tbody {
                    @for name in &names { (row(name, &board.agents, &pools)) }
                }
            }
        }
        @if !board.agents.is_empty() { section { h2 { "How long they take" } (times(&board.agents)) } }
        @if !visit.is_operator() { p.hint { "How long agents take is shown to operators." } }
    };
    Ok(Page::new("Agents", Section::Agents, body).live(visit.live(None)))
}

fn row(name: &str, times: &[AgentView], pools: &PoolList) -> Markup {
    let own: Vec<&AgentView> = times.iter().filter(|times| times.agent == name).collect();
    let attempts: u64 = own.iter().map(|times| times.attempts).sum();
    let within: f64 = own
        .iter()
        .map(|times| times.attempts as f64 * times.within_percent)
        .sum();
    let pool = pools
        .pools
        .iter()
        .find(|pool| pool.pool.strip_prefix("agent:") == Some(name));
    html! {
        tr {
            th scope="row" data-label="Agent" { (name) }
            td data-label="At work" {
                @match pool {
                    Some(pool) => { (pool.used) " of " (pool.capacity) @if pool.waiting > 0 { ", " (pool.waiting) " waiting" } },
                    None => span.hint { "no limit of its own" },
                }
            }
            td.number data-label="Attempts" { @if attempts > 0 { (attempts) } @else { span.none { "–" } } }
            td.number data-label="In time" { @if attempts > 0 { (format!("{:.1} %", within / attempts as f64)) } @else { span.none { "–" } } }
            td data-label="Actions" { @for times in &own { span.chip { (times.action) } " " } }
        }
    }
}

/// Percentiles by agent and action.
pub fn times(rows: &[AgentView]) -> Markup {
    html! {
        table.cards {
            thead { tr { th { "Work" } th.number { "Attempts" } th.number { "In time" } th.number { "Half ran" } th.number { "95 of 100" } th.number { "99 of 100" } th.number { "95 of 100 waited" } } }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" data-label="Work" { (row.agent) "." (row.action) }
                        td.number data-label="Attempts" { (row.attempts) }
                        td.number data-label="In time" { (format!("{:.1} %", row.within_percent)) }
                        td.number data-label="Half ran" { "≤ " (time::duration(row.run.p50_ms)) }
                        td.number data-label="95 of 100" { "≤ " (time::duration(row.run.p95_ms)) }
                        td.number data-label="99 of 100" { "≤ " (time::duration(row.run.p99_ms)) }
                        td.number data-label="95 of 100 waited" { "≤ " (time::duration(row.queue.p95_ms)) }
                    }
                }
            }
        }
    }
}
