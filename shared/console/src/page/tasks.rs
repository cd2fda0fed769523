//! The tasks of a run as a table.

use std::collections::BTreeSet;

use maud::{Markup, html};
use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::run::{RunState, TaskStatus};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::api::{Backend, Problem};
use orchestrator_engine::views::TaskView;

use super::run::{self, View};
use crate::graph;
use crate::parts::{ansi, say, status, time};
use crate::shell::Page;
use crate::url;
use crate::visit::Visit;

/// Tasks on a page.
const PAGE: usize = 100;

/// Which tasks are wanted.
#[derive(Debug, Clone, Default)]
struct Wanted {
    text: String,
    status: Option<TaskStatus>,
    /// Of this shape of the graph.
    shape: Option<u32>,
    /// Items of `for_each` tasks as well.
    items: bool,
    /// Tasks to pass over.
    skip: usize,
}

struct Found {
    tasks: Vec<TaskView>,
    total: usize,
}

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>, run: &str) -> Result<Page, Problem> {
    let query = &visit.query;
    let known = TaskStatus::ALL.into_iter();
    let wanted = Wanted {
        text: query.text("q").to_lowercase(),
        status: known
            .into_iter()
            .find(|status| status.as_str() == query.text("status")),
        shape: query.number("shape"),
        items: query.has("items"),
        skip: query.number("skip").unwrap_or(0),
    };
    let now = visit.backend.now();
    let asked = wanted.clone();
    let (view, found) = visit.run(run, move |state| find(state, &asked, now)).await?;
    let here = url::of_run(view.id, "tasks");
    let page_at = |skip: usize| {
        let number = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
        let (shape, skip) = (number(wanted.shape), skip.to_string());
        let fields = [
            ("q", query.text("q")),
            ("status", query.text("status")),
            ("shape", &shape),
            ("items", if wanted.items { "yes" } else { "" }),
            ("skip", if skip == "0" { "" } else { &skip }),
        ];
        url::with(&here, &fields)
    };
    let (first, last) = (wanted.skip + 1, wanted.skip + found.tasks.len());
    let body = html! {
        (filter(&here, &wanted, query.text("q")))
        @if found.tasks.is_empty() {
            (say::empty("No task is like this", html! { a href=(here) { "Show all tasks" } }))
        } @else {
            (table(view.id, &found.tasks))
            @let previous = (wanted.skip > 0).then(|| page_at(wanted.skip.saturating_sub(PAGE)));
            @let next = (last < found.total).then(|| page_at(last));
            (say::pager(&format!("{first} to {last} of {}", found.total), previous.as_deref(), next.as_deref()))
        }
    };
    Ok(run::page(visit, &view, View::Tasks, body))
}

fn find(state: &RunState, wanted: &Wanted, now: Timestamp) -> Found {
    let of_shape: Option<BTreeSet<usize>> = wanted.shape.map(|shape| {
        let folded = graph::fold(&graph::of_run(state));
        let shapes = folded.shape_of.iter().enumerate();
        shapes
            .filter(|(_, own)| **own == shape)
            .map(|(index, _)| index)
            .collect()
    });
    let is_wanted = |node: &NodeIx| {
        let entry = state.node(*node);
        !entry.retired
            && (wanted.items || entry.child_of.is_none())
            && wanted.status.is_none_or(|status| entry.status == status)
            && of_shape
                .as_ref()
                .is_none_or(|of_shape| of_shape.contains(&node.index()))
            && (wanted.text.is_empty() || is_like(state, *node, &wanted.text))
    };
    let found: Vec<NodeIx> = (0..state.nodes().len())
        .map(NodeIx::new)
        .filter(is_wanted)
        .collect();
    let shown = found.iter().skip(wanted.skip).take(PAGE);
    Found {
        tasks: shown.map(|node| TaskView::of(state, *node, now)).collect(),
        total: found.len(),
    }
}

fn is_like(state: &RunState, node: NodeIx, text: &str) -> bool {
    let task = state.task_of(node);
    let like = |name: &str| name.to_lowercase().contains(text);
    like(&state.name_of(node)) || like(&task.agent) || like(&task.action)
}

fn filter(here: &str, wanted: &Wanted, text: &str) -> Markup {
    html! {
        form.filter role="search" method="get" action=(here) hx-get=(here) hx-target="#main" hx-swap="morph"
            hx-push-url="true" hx-trigger="submit, change, input delay:300ms" {
            label { span { "Search" } input type="search" name="q" value=(text) placeholder="task, agent or action" maxlength="200"; }
            label { span { "State" }
                select name="status" {
                    option value="" { "any" }
                    @for status in TaskStatus::ALL {
                        option value=(status.as_str()) selected[Some(status) == wanted.status] { (status.as_str().to_lowercase().replace('_', " ")) }
                    }
                }
            }
            label.check { input type="checkbox" name="items" value="yes" checked[wanted.items]; span { "Items of for_each tasks" } }
            @if let Some(shape) = wanted.shape {
                input type="hidden" name="shape" value=(shape);
                a href=(here) { "Not only this group" }
            }
            noscript { button type="submit" { "Search" } }
        }
    }
}

fn table(run: RunId, tasks: &[TaskView]) -> Markup {
    html! {
        table.cards.rows {
            thead { tr { th { "State" } th { "Task" } th { "Work" } th { "Where" } th.number { "Attempts" } th { "Started" } th { "Took" } th { "Why" } } }
            tbody {
                @for task in tasks {
                    tr id=(format!("task-{}", task.id)) {
                        td data-label="State" { (status::task(task.status)) }
                        th scope="row" data-label="Task" { a.main href=(url::task(run, &task.id)) { (task.id) } }
                        td data-label="Work" { (task.agent) "." (task.action) }
                        td data-label="Where" { (place(task)) }
                        td.number data-label="Attempts" { (task.attempts_total) }
                        td data-label="Started" { (time::maybe(task.started_at)) }
                        td data-label="Took" { (took(task)) }
                        td.why data-label="Why" { (why(task)) }
                    }
                }
            }
        }
    }
}

/// Where a task runs, and how urgent it is.
fn place(task: &TaskView) -> Markup {
    html! {
        @match &task.resource_class { Some(class) => (class), None => span.none { "–" } }
        @if let Some(priority) = task.priority { span.hint title="Priority, 10 is most urgent" { " p" (priority) } }
    }
}

/// How long a task took, or has taken so far.
pub fn took(task: &TaskView) -> Markup {
    html! {
        @match (task.duration_ms, task.started_at, task.status) {
            (_, Some(started), TaskStatus::Running) => (time::running(started)),
            (Some(millis), ..) => (time::duration(millis)),
            _ => span.none { "–" },
        }
    }
}

/// What there is to say about the state of a task, in one line.
pub fn why(task: &TaskView) -> Markup {
    html! {
        @if let Some(held) = &task.held { (say::with_names(&held.explanation)) }
        @else if task.cache.as_ref().is_some_and(|cache| cache.from.is_some()) { "cached" }
        @else if let Some(error) = &task.error { span.error-class { (error.class) } " " (ansi::plain(&error.message)) }
        @else if let Some(skipped) = &task.skipped { (say::with_names(skipped)) }
        @else if let Some(progress) = &task.progress {
            @if let Some(percent) = progress.percent { progress value=(percent) max="100" aria-label="Progress" {} (format!(" {percent:.0} % ")) }
            @if let Some(message) = &progress.message { (message) }
        }
        @else if let Some(children) = &task.children { (children.total) " items" }
    }
}
