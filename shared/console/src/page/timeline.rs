//! When the tasks of a run did what.

use maud::{Markup, html};
use orchestrator_core::ids::RunId;
use orchestrator_engine::api::{Backend, Problem, runs};
use orchestrator_engine::trace::history::History;
use orchestrator_engine::views::trace::PhaseView;
use orchestrator_engine::views::{At, RunView, TaskTraceView, TraceView};

use super::run::{self, View};
use crate::parts::counts::number;
use crate::parts::{icon, say, status, time};
use crate::shell::Page;
use crate::url;
use crate::visit::{NO_TASKS, Visit};

/// Rows on a page.
const PAGE: usize = 200;

/// What stretches of time are called, how they look, and what they mean.
const PHASES: [(&str, &str, &str); 6] = [
    ("running", "p-running", "an agent worked"),
    ("failed", "p-failed", "an attempt failed"),
    ("held", "p-held", "for a slot, a window or a person"),
    ("queued", "p-queued", "waited for its agent"),
    ("retry wait", "p-retry", "waited for its next attempt"),
    ("decision", "p-other", "waited for the policy"),
];

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>, run: &str) -> Result<Page, Problem> {
    let items = visit.query.has("items");
    let skip: usize = visit.query.number("skip").unwrap_or(0).min(TraceView::TASKS_MAX);
    // The journal is read once: what is above the timeline comes from it, too.
    let id: RunId = run.parse().map_err(|_| runs::unknown(run))?;
    let history = History::read(visit.backend.journal(), id).await?;
    if !visit.caller.sees(&history.state.submission.client_id) {
        return Err(runs::unknown(run));
    }
    let now = visit.backend.now();
    let view = RunView::of(&history.state, 0, NO_TASKS, now);
    let trace = TraceView::of(&history, now, items, skip + PAGE);
    let rows = trace.tasks.get(skip..).unwrap_or_default();
    let axis = Axis {
        start: trace.submitted_at,
        whole: trace.duration_ms.max(1),
    };
    let here = url::of_run(view.id, "timeline");
    let page_at = |skip: usize| {
        let (items, skip) = (
            if items { "yes" } else { "" },
            if skip == 0 {
                String::new()
            } else {
                skip.to_string()
            },
        );
        url::with(&here, &[("items", items), ("skip", &skip)])
    };
    let total = trace.tasks_total as usize;
    let last = skip + rows.len();
    let body = html! {
        @if rows.is_empty() {
            (say::empty("Nothing has begun yet", html! { "The timeline shows when tasks waited, ran and failed, once there is something to show." }))
        } @else {
            (critical(view.id, &trace))
            div.legend-line {
                ul.legend aria-label="What the bars mean" {
                    @for (name, look, meaning) in PHASES {
                        li { svg.swatch aria-hidden="true" viewBox="0 0 18 10" { rect class=(look) width="18" height="10" rx="2" {} } " " (name) span.hint { " " (meaning) } }
                    }
                }
                form.inline method="get" action=(here) hx-get=(here) hx-target="#main" hx-swap="morph" hx-push-url="true" hx-trigger="change" {
                    label.check { input type="checkbox" name="items" value="yes" checked[items]; span { "Items of for_each tasks" } }
                    noscript { button type="submit" { "Show" } }
                }
            }
            (chart(view.id, &axis, rows))
            @let previous = (skip > 0).then(|| page_at(skip.saturating_sub(PAGE)));
            @let next = (last < total).then(|| page_at(last));
            (say::pager(&format!("{} to {last} of {total}, in the order in which they began", skip + 1), previous.as_deref(), next.as_deref()))
        }
    };
    Ok(run::page(visit, &view, View::Timeline, body))
}

/// The tasks the end had to wait for, and what their time was spent on.
fn critical(run: RunId, trace: &TraceView) -> Markup {
    const NAMED_MAX: usize = 12;
    let spent: Vec<String> = trace
        .critical_ms
        .iter()
        .map(|(phase, millis)| format!("{phase} {}", time::duration(*millis)))
        .collect();
    html! {
        p.critical {
            strong { "Critical path: " }
            @for (index, task) in trace.critical_path.iter().take(NAMED_MAX).enumerate() {
                @if index > 0 { " → " }
                a href=(url::task(run, task)) { (task) }
            }
            @if trace.critical_path.len() > NAMED_MAX { " … and " (trace.critical_path.len() - NAMED_MAX) " more" }
            ". " span.hint { "Only making one of these faster makes the run faster. Its time went to: " (spent.join(", ")) "." }
        }
    }
}

struct Axis {
    start: At,
    whole: u64,
}

impl Axis {
    /// A point in time as a part of the whole, percent.
    fn place(&self, at: At) -> f64 {
        let millis = at.millis_since(self.start).min(self.whole);
        millis as f64 * 100.0 / self.whole as f64
    }
}

fn chart(run: RunId, axis: &Axis, rows: &[TaskTraceView]) -> Markup {
    html! {
        div.gantt role="table" aria-label="Timeline" {
            div.gantt-row.gantt-head role="row" {
                span role="columnheader" { "Task" }
                span.scale role="columnheader" aria-label="Time since the submission" {
                    @for quarter in 0..=4_u64 { span { (time::duration(axis.whole * quarter / 4)) } }
                }
            }
            @for row in rows {
                div.gantt-row role="row" id=(format!("row-{}", row.id)) {
                    span.gantt-name role="rowheader" {
                        span class=(format!("look s-{}", status::look(row.status))) { (icon::use_(status::look(row.status))) }
                        a href=(url::task(run, &row.id)) title=(format!("{}: {}", row.id, row.status)) { (row.id) }
                        @if row.is_cached { span.hint { " cached" } }
                        @if row.is_critical { span.mark title="On the critical path" { "●" span.unseen { " on the critical path" } } }
                    }
                    span role="cell" { (bars(axis, row)) }
                }
            }
        }
    }
}

fn bars(axis: &Axis, row: &TaskTraceView) -> Markup {
    let whole = row.end.millis_since(row.start);
    let words: Vec<String> = row.phases.iter().map(words).collect();
    let label = format!(
        "{}: {} in all. {}",
        row.id,
        time::duration(whole),
        words.join("; ")
    );
    html! {
        svg.bars role="img" aria-label=(label) {
            (bar(axis, row.start, row.end, "p-whole", None))
            @for phase in &row.phases {
                (bar(axis, phase.start, phase.end, look(phase), Some(&self::words(phase))))
            }
        }
    }
}

fn bar(axis: &Axis, start: At, end: At, look: &str, title: Option<&str>) -> Markup {
    /// Narrower bars cannot be seen.
    const WIDTH_MIN: f64 = 0.25;
    let left = axis.place(start).min(100.0 - WIDTH_MIN);
    let width = (axis.place(end) - left).max(WIDTH_MIN);
    let percent = |value: f64| format!("{}%", number(value * 10.0).parse::<f64>().unwrap_or(0.0) / 10.0);
    html! {
        rect class=(look) x=(percent(left)) width=(percent(width)) y=(if title.is_some() { "3" } else { "8" }) height=(if title.is_some() { "13" } else { "3" }) rx="2" {
            @if let Some(text) = title { title { (text) } }
        }
    }
}

fn look(phase: &PhaseView) -> &'static str {
    let name = match phase.outcome.as_deref() {
        Some("failed") => "failed",
        _ => phase.phase.as_str(),
    };
    let found = PHASES.iter().find(|(known, ..)| *known == name);
    found.map_or("p-other", |(_, look, _)| look)
}

fn words(phase: &PhaseView) -> String {
    let mut words = format!(
        "{} {}",
        phase.phase,
        time::duration(phase.end.millis_since(phase.start))
    );
    if let Some((_, attempt)) = phase.attempt {
        words.push_str(&format!(", attempt {attempt}"));
    }
    for more in phase.outcome.iter().chain(&phase.reason) {
        words.push_str(&format!(", {more}"));
    }
    words
}
