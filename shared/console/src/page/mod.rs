//! The pages, one file each, and which address leads to which.

mod agents;
mod deadlines;
mod decision;
mod events;
mod graph;
pub mod live;
mod logs;
mod new;
mod policy;
mod pools;
mod rollback;
mod run;
mod runs;
mod sentence;
mod stats;
mod task;
mod tasks;
mod timeline;

use http::StatusCode;
use maud::html;
use orchestrator_engine::api::response::Answer;
use orchestrator_engine::api::{Backend, Code, Problem};

use crate::parts::say;
use crate::shell::{Page, Section, redirect};
use crate::visit::Visit;

/// What an address leads to.
pub enum Shown {
    /// A page.
    Page(Page),
    /// Something else: a file, or the way to another page.
    Other(Answer),
}

impl From<Page> for Shown {
    fn from(page: Page) -> Shown {
        Shown::Page(page)
    }
}

/// The page of an address.
///
/// # Errors
/// When there is none for the caller, or it cannot be made now.
pub async fn show<B: Backend>(visit: &Visit<'_, B>, path: &[&str]) -> Result<Shown, Problem> {
    Ok(match path {
        [] => Shown::Other(redirect("/ui/runs")),
        ["runs"] => runs::page(visit).await?,
        ["runs", run] => graph::page(visit, run).await?.into(),
        ["runs", run, "timeline"] => timeline::page(visit, run).await?.into(),
        ["runs", run, "tasks"] => tasks::page(visit, run).await?.into(),
        ["runs", run, "events"] => events::page(visit, run).await?.into(),
        ["runs", run, "rollback"] => rollback::page(visit, run).await?.into(),
        ["runs", run, "tasks", task] => task::page(visit, run, task).await?.into(),
        ["runs", run, "tasks", task, "logs"] => logs::page(visit, run, task).await?.into(),
        ["runs", run, "tasks", task, "log.txt"] => Shown::Other(logs::file(visit, run, task).await?),
        ["pools"] => pools::page(visit).await?.into(),
        ["sla"] => deadlines::page(visit).await?.into(),
        ["policy"] => policy::page(visit).await?.into(),
        ["agents"] => agents::page(visit).await?.into(),
        ["stats"] => stats::page(visit).await?.into(),
        ["new"] => new::page(visit).await?.into(),
        ["ask"] => sentence::page(visit).into(),
        _ => return Err(nothing_here(visit.parts.uri.path())),
    })
}

/// What a form does.
///
/// # Errors
/// When the API refuses it.
pub async fn act<B: Backend>(visit: &Visit<'_, B>, path: &[&str]) -> Result<Shown, Problem> {
    Ok(match path {
        ["runs", run, "rollback"] => rollback::apply(visit, run).await?,
        [
            "runs",
            run,
            verb @ ("cancel" | "pause" | "resume" | "retry" | "priority"),
        ] => run::act(visit, run, verb).await?,
        [
            "runs",
            run,
            "tasks",
            task,
            verb @ ("approve" | "reject" | "rerun"),
        ] => task::act(visit, run, task, verb).await?,
        ["policy"] => policy::test(visit).await?.into(),
        ["new"] => new::send(visit).await?,
        ["ask"] => sentence::send(visit).await?,
        _ => return Err(nothing_here(visit.parts.uri.path())),
    })
}

/// The problem with an address that leads nowhere.
pub fn nothing_here(path: &str) -> Problem {
    let short: String = path.chars().take(80).collect();
    Problem::new(Code::NoRoute, format!("the console has no page '{short}'"))
}

/// The page of a problem.
pub fn problem(problem: &Problem) -> Page {
    let help = match problem.status {
        401 | 403 => "You may not see this, or not do it, with the token you signed in with.",
        404 => "It may have been mistyped, or it belongs to somebody else.",
        409 => "Things have moved on since the page was made. Nothing was changed.",
        500..600 => {
            "This is not your doing. Try again in a moment; if it stays, look at the log of the server."
        }
        _ => "Nothing was changed.",
    };
    let body = html! {
        div.card.narrow {
            h1 { "This did not work" }
            (say::problem(problem))
            p { (help) }
            p { a.button href="/ui/runs" { "All runs" } }
        }
    };
    Page {
        status: StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        ..Page::new("Problem", Section::None, body)
    }
}
