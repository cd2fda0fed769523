//! The graph of a run.

use maud::html;
use orchestrator_core::ids::RunId;
use orchestrator_engine::api::{Backend, Problem};

use super::run::{self, View};
use crate::graph::{self, Links};
use crate::shell::Page;
use crate::url;
use crate::visit::Visit;

struct OfRun(RunId);

impl Links for OfRun {
    fn task(&self, name: &str) -> Option<String> {
        Some(url::task(self.0, name))
    }

    fn group(&self, shape: usize) -> Option<String> {
        let tasks = url::of_run(self.0, "tasks");
        Some(url::with(&tasks, &[("shape", &shape.to_string())]))
    }
}

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>, run: &str) -> Result<Page, Problem> {
    let (view, items) = visit.run(run, graph::of_run).await?;
    let folded = graph::fold(&items);
    let drawn = graph::draw(&items, &folded, &visit.console.layouts, &OfRun(view.id));
    let body = html! { section.graph-view aria-label="Graph" { (drawn) } };
    Ok(run::page(visit, &view, View::Graph, body))
}
