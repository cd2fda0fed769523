//! What the host has done so far, in numbers.

use std::collections::BTreeMap;

use maud::{Markup, html};
use orchestrator_engine::api::backend::Stats;
use orchestrator_engine::api::{Backend, Code, Problem};
use orchestrator_engine::metrics::Durations;

use crate::parts::counts::number;
use crate::parts::{say, time};
use crate::shell::{Page, Section};
use crate::visit::Visit;

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>) -> Result<Page, Problem> {
    let body = match visit.get::<Stats>("/stats").await {
        Ok(stats) => html! { h1 { "Numbers" } (numbers(&stats)) },
        Err(problem) if problem.code == Code::Unsupported.as_str() => html! {
            h1 { "Numbers" }
            (say::empty("This host keeps no numbers", html! { "Look at its dashboard, if it has one." }))
        },
        Err(problem) if problem.code == Code::Forbidden.as_str() => html! {
            h1 { "Numbers" }
            (say::empty("These are for operators", html! { "They add up what all clients do." }))
        },
        Err(problem) => return Err(problem),
    };
    Ok(Page::new("Numbers", Section::Stats, body).live("poll".to_owned()))
}

fn numbers(stats: &Stats) -> Markup {
    let counted = &stats.counted;
    let within = match stats.sla.attempts {
        0 => "–".to_owned(),
        attempts => format!("{:.1} %", stats.sla.within as f64 * 100.0 / attempts as f64),
    };
    html! {
        p.hint { "Version " (stats.version) ", policy " code { (stats.policy_version) } ". What this host has counted so far." }
        div.tiles {
            (tile(&stats.runs_active.to_string(), "runs going on"))
            @if let Some(live) = stats.attempts_live { (tile(&live.to_string(), "attempts at work")) }
            (tile(&counted.tasks.attempts.to_string(), "attempts handed out"))
            (tile(&counted.tasks.retries.to_string(), "retries"))
            (tile(&stats.sla.active.to_string(), "deadlines missed now"))
            (tile(&within, "attempts in time"))
            (tile(&stats.events.to_string(), "events"))
            (tile(&stats.commits.to_string(), "commits"))
            @if let Some(bytes) = stats.memory_peak_bytes { (tile(&time::bytes(bytes), "memory at most")) }
        }
        div.columns.even {
            (table("Runs", "What happened", &counted.runs.by_event))
            (table("Tasks that ended", "State", &counted.tasks.by_status))
            (table("Decisions", "Outcome", &counted.decisions.by_outcome))
            (table("Holds", "Waiting for", &counted.decisions.holds))
            (table("What shaped decisions", "Key or rule", &counted.decisions.by_rule))
            (table("Lookups of results", "What became of it", &counted.tasks.result_lookups))
            (table("Failures", "Class", &counted.tasks.failures))
            (table("Missed deadlines", "What took too long", &counted.alerts.breaches))
            (times("How long runs took", &counted.runs.seconds))
            (times("How long attempts ran", &counted.tasks.run_seconds))
            (times("How long attempts were queued", &counted.tasks.queue_seconds))
        }
    }
}

fn tile(value: &str, name: &str) -> Markup {
    html! { div.tile { strong { (value) } span { (name) } } }
}

fn table(title: &str, name: &str, rows: &BTreeMap<String, u64>) -> Markup {
    let mut rows: Vec<(&String, &u64)> = rows.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    html! {
        @if !rows.is_empty() {
            section {
                h2 { (title) }
                table {
                    thead { tr { th { (name) } th.number { "Times" } } }
                    tbody { @for (name, count) in rows { tr { th scope="row" { (name) } td.number { (count) } } } }
                }
            }
        }
    }
}

/// How many times fell into each bucket.
fn times(title: &str, times: &Durations) -> Markup {
    let mut below = 0;
    let buckets = times.buckets.iter().map(|(bound, within)| {
        let count = within - std::mem::replace(&mut below, *within);
        (
            bound.map_or_else(
                || "more".to_owned(),
                |bound| format!("≤ {}", time::duration((bound * 1e3) as u64)),
            ),
            count,
        )
    });
    let buckets: Vec<(String, u64)> = buckets.filter(|(_, count)| *count > 0).collect();
    let most = buckets.iter().map(|(_, count)| *count).max().unwrap_or(1);
    html! {
        @if !buckets.is_empty() {
            section {
                h2 { (title) span.hint { ", " (times.count) " times" } }
                table.histogram {
                    thead { tr { th { "Time" } th.number { "Times" } th { span.unseen { "Bar" } } } }
                    tbody {
                        @for (bound, count) in &buckets {
                            tr {
                                th scope="row" { (bound) } td.number { (count) }
                                td { svg.bar aria-hidden="true" viewBox="0 0 100 8" preserveAspectRatio="none" { rect.p-running width=(number(*count as f64 * 100.0 / most as f64)) height="8" {} } }
                            }
                        }
                    }
                }
            }
        }
    }
}
