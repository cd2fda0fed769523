//! One task: why it is as it is, what was decided, what was tried, what came of it.

use http::Method;
use maud::{Markup, html};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::{RunStatus, TaskStatus};
use orchestrator_engine::api::route::encode;
use orchestrator_engine::api::tasks::LogsView;
use orchestrator_engine::api::{Backend, Problem, runs};
use orchestrator_engine::views::{CacheView, ExplainView, RunView, TaskDetail, TaskView};
use serde_json::json;

use super::{Shown, decision, logs, run, tasks};
use crate::parts::{ansi, json, say, status, time};
use crate::shell::{Page, Section, redirect};
use crate::url;
use crate::visit::Visit;

/// The end of a log that the page of its task shows.
const TAIL: u64 = 8 * 1024;

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>, run: &str, name: &str) -> Result<Page, Problem> {
    let (view, ()) = visit.run(run, |_| ()).await?;
    let api = format!("/runs/{}/tasks/{}", view.id, encode(name));
    let why: ExplainView = visit.get(&format!("{api}/explain")).await?;
    let detail: TaskDetail = visit.get(&api).await?;
    let log: Option<LogsView> = match detail.attempts.is_empty() {
        true => None,
        false => Some(visit.get(&format!("{api}/logs?bytes={TAIL}")).await?),
    };
    let task = &detail.task;
    let body = html! {
        (run::crumbs(view.id, &view.workflow, Some(&task.id)))
        div.head {
            h1 { (task.id) } (status::task(task.status))
            (actions(&view, task))
        }
        (run::said(visit.query.text("did")))
        div.columns {
            div {
                (because(view.id, &why))
                @if let Some(choice) = &why.choice {
                    section { h2 { "Decision" } (decision::choice(choice)) (seen(&view, &detail)) }
                }
                (attempts(view.id, &detail))
                (log_tail(view.id, task, log.as_ref()))
            }
            div {
                (facts(view.id, &detail))
                (values(&detail))
                (checkpoints(&detail))
            }
        }
    };
    let page = Page::new(format!("{} {}", task.id, task.status), Section::Runs, body);
    Ok(page.live(visit.live(Some(view.id))))
}

fn because(run: RunId, why: &ExplainView) -> Markup {
    html! {
        section.why-card {
            h2 { @if why.task.status.is_terminal() { "What happened" } @else if why.waits_for.is_empty() { "Why" } @else { "Why it waits" } }
            p.answer { (say::with_names(&why.answer)) }
            @if !why.because.is_empty() { ul { @for sentence in &why.because { li { (say::with_names(sentence)) } } } }
            @if !why.waits_for.is_empty() {
                h3 { "It waits for" }
                ul.waits {
                    @for wait in &why.waits_for {
                        li { (status::task(wait.status)) " " a href=(url::task(run, &wait.task)) { (wait.task) } ": " (say::with_names(&wait.why)) }
                    }
                }
            }
            @if let Some(held) = &why.task.held {
                @if !held.pools.is_empty() { p { a href="/ui/pools" { "Who holds the slots, and who waits in front of it" } } }
            }
            @if !why.deadlines.is_empty() {
                h3 { "Deadlines" }
                ul {
                    @for deadline in &why.deadlines {
                        li {
                            (deadline.kind.as_str()) " of " (time::duration(deadline.limit_ms)) ", over " (time::at(deadline.deadline))
                            @if deadline.is_missed { " " (status::badge("failed", "missed")) }
                        }
                    }
                }
            }
            @if !why.next_steps.is_empty() {
                details.more { summary { "From a terminal" } pre { @for step in &why.next_steps { (step) "\n" } } }
            }
        }
    }
}

/// What the policy had before it.
fn seen(run: &RunView, detail: &TaskDetail) -> Markup {
    html! {
        details.more {
            summary { "What the policy saw" }
            h3 { "Parameters of the task" } (json::block(&detail.params))
            h3 { "Inputs of the run" } (json::block(&run.inputs))
            h3 { "Metadata of the run" } (json::block(&run.metadata))
        }
    }
}

fn attempts(run: RunId, detail: &TaskDetail) -> Markup {
    html! {
        section {
            h2 { "Attempts" }
            @if detail.attempts.is_empty() {
                p.hint { @if is_cached(detail) { "None was needed: its result was kept." } @else { "It has not been tried yet." } }
            } @else {
                table.cards {
                    thead { tr { th { "Attempt" } th { "State" } th { "Queued" } th { "Took" } th { "What came of it" } th { "Log" } } }
                    tbody {
                        @for attempt in detail.attempts.iter().rev() {
                            tr {
                                th scope="row" data-label="Attempt" { (attempt.attempt) @if detail.task.epoch > 1 { span.hint { " of epoch " (attempt.epoch) } } }
                                td data-label="State" { (status::named(&attempt.status)) }
                                td data-label="Queued" { (time::at(attempt.queued_at)) }
                                td data-label="Took" { @match attempt.started_at { Some(start) => (time::took(start, attempt.finished_at)), None => span.none { "–" } } }
                                td.why data-label="What came of it" {
                                    @if let Some(error) = &attempt.error {
                                        span.error-class { (error.class) } " " (ansi::plain(&error.message))
                                        @if let Some(code) = error.exit_code { span.hint { " (exit code " (code) ")" } }
                                    }
                                    @if let Some(from) = &attempt.from_checkpoint { span.hint { " from the checkpoint of attempt " (from.attempt) } }
                                    @if let Some(retry) = attempt.retry_at { span.hint { " next attempt due " (time::at(retry)) } }
                                }
                                td data-label="Log" { a href=(logs::address(run, &detail.task.id, attempt.epoch, attempt.attempt)) { "Log" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn log_tail(run: RunId, task: &TaskView, log: Option<&LogsView>) -> Markup {
    html! {
        @if let Some(log) = log {
            section {
                h2 { "Log" @if log.bytes > TAIL { span.hint { ", the end of " (time::bytes(log.bytes)) } } }
                (logs::text(&log.text))
                p { a href=(logs::address(run, &task.id, log.epoch, log.attempt)) { "The whole log" } }
            }
        }
    }
}

fn facts(run: RunId, detail: &TaskDetail) -> Markup {
    let task = &detail.task;
    html! {
        section {
            h2 { "Facts" }
            dl.facts.stacked {
                div { dt { "Agent" } dd { (task.agent) } }
                div { dt { "Action" } dd { (task.action) } }
                @if let Some(class) = &task.resource_class { div { dt { "Class" } dd { (class) } } }
                @if let Some(priority) = task.priority { div { dt { "Priority" } dd { (priority) " of 10" } } }
                div { dt { "Epoch" } dd { (task.epoch) } }
                div { dt { "Attempts" } dd { (task.attempts_total) } }
                @if let Some(cache) = &task.cache { div { dt { "Cache" } dd { (cached(cache)) } } }
                @if let Some(at) = task.started_at { div { dt { "Started" } dd { (time::at(at)) } } }
                @if let Some(at) = task.finished_at { div { dt { "Ended" } dd { (time::at(at)) } } }
                div { dt { "Took" } dd { (tasks::took(task)) } }
                @if !task.depends_on.is_empty() {
                    div { dt { "Depends on" } dd { @for upstream in &task.depends_on { a.chip href=(url::task(run, upstream)) { (upstream) } " " } } }
                }
                @if let Some(children) = &task.children {
                    div { dt { "Items" } dd {
                        a href=(url::with(&url::of_run(run, "tasks"), &[("items", "yes"), ("q", &format!("{}[", task.id))])) { (children.total) }
                    } }
                }
                @if let Some(progress) = &task.progress {
                    div { dt { "Progress" } dd {
                        @if let Some(percent) = progress.percent { progress value=(percent) max="100" aria-label="Progress" {} (format!(" {percent:.0} % ")) }
                        @if let Some(message) = &progress.message { (message) }
                    } }
                }
            }
        }
    }
}

fn is_cached(detail: &TaskDetail) -> bool {
    detail
        .task
        .cache
        .as_ref()
        .is_some_and(|cache| cache.from.is_some())
}

/// What became of looking for a kept result.
fn cached(cache: &CacheView) -> Markup {
    html! {
        @match (&cache.from, cache.outcome.as_str()) {
            (Some(from), _) => {
                "The result of " a href=(url::task(from.run_id, &from.task)) { (from.task) }
                " in another execution of " (time::at(from.finished_at)) " was reused, which saved " (time::duration(from.duration_ms)) "."
            }
            (None, "miss") => { "No result for the same was kept." }
            (None, "unwanted") => { "The run wants everything done." }
            (None, "taken_back") => { "A result of it was taken back: it is really done." }
            (None, _) => { "The cache could not be asked." }
        }
    }
}

fn values(detail: &TaskDetail) -> Markup {
    html! {
        section { h2 { "Parameters" } @if json::is_empty(&detail.params) { p.hint { "None." } } @else { (json::block(&detail.params)) } }
        @if let Some(item) = &detail.item { section { h2 { "Item" } (json::block(item)) } }
        @if detail.task.status == TaskStatus::Success {
            section { h2 { "Output" } @match &detail.task.output { Some(output) => (json::block(output)), None => p.hint { "None." } } }
        }
    }
}

fn checkpoints(detail: &TaskDetail) -> Markup {
    html! {
        @if !detail.checkpoints.is_empty() {
            section {
                h2 { "Checkpoints" }
                p.hint { "The next attempt starts from the first one whose files are undamaged." }
                ol.plain {
                    @for (index, checkpoint) in detail.checkpoints.iter().enumerate() {
                        li {
                            "Attempt " (checkpoint.attempt) ", " (time::at(checkpoint.saved_at))
                            @if let Some(files) = &checkpoint.files { ": " (files.count) " files, " (time::bytes(files.bytes)) }
                            @if let Some(value) = detail.checkpoint.as_ref().filter(|value| index == 0 && !value.is_null()).or(checkpoint.value.as_ref()) { (json::block(value)) }
                        }
                    }
                }
            }
        }
    }
}

fn actions(run: &RunView, task: &TaskView) -> Markup {
    let to = |verb: &str| url::of_task(run.id, &task.id, verb);
    let is_asked = task
        .held
        .as_ref()
        .is_some_and(|held| matches!(held.reason.as_str(), "approval" | "policy" | "denied"));
    let is_undo = task.id.starts_with("undo:") && task.status == TaskStatus::Failed;
    let has_run = task.status.is_terminal() && task.children.is_none() && run.status != RunStatus::Pending;
    html! {
        div.actions {
            @if is_asked || is_undo {
                form.inline method="post" action=(to("approve")) { button.primary type="submit" { @if is_undo { "Take it as undone" } @else { "Approve" } } }
            }
            @if is_asked {
                details.menu {
                    summary.button.danger { "Reject…" }
                    form method="post" action=(to("reject")) data-keep {
                        p { "The task fails, and what depends on it follows its trigger." }
                        label { "Why? (kept with the run)" input type="text" name="reason" maxlength="1000"; }
                        button.danger type="submit" { "Reject the task" }
                    }
                }
            }
            @if has_run {
                a.button href=(url::with(&url::of_run(run.id, "rollback"), &[("to_task", &task.id)])) { "Roll back to here…" }
                details.menu {
                    summary.button { "Do again…" }
                    form method="post" action=(to("rerun")) data-keep {
                        p { "The task and everything downstream of it is done again. What they did is not undone first: roll back for that." }
                        button type="submit" { "Do it again" }
                    }
                }
            }
        }
    }
}

/// Carries out an operation on a task.
pub async fn act<B: Backend>(
    visit: &Visit<'_, B>,
    run: &str,
    task: &str,
    verb: &str,
) -> Result<Shown, Problem> {
    let id: RunId = run.parse().map_err(|_| runs::unknown(run))?;
    let path = format!("/runs/{id}/tasks/{}/{verb}", encode(task));
    let body = match visit.form.text("reason") {
        reason if verb == "reject" && !reason.is_empty() => json!({"reason": reason}),
        _ => json!({}),
    };
    let _: TaskView = visit.ask(Method::POST, &path, Some(&body)).await?;
    Ok(Shown::Other(redirect(&url::with(
        &url::task(id, task),
        &[("did", verb)],
    ))))
}
