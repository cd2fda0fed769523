//! What an agent printed.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use maud::{Markup, html};
use orchestrator_core::ids::RunId;
use orchestrator_engine::api::response::Answer;
use orchestrator_engine::api::route::encode;
use orchestrator_engine::api::tasks::{LOG_BYTES_MAX, LogsView};
use orchestrator_engine::api::{Backend, Problem};

use super::run;
use crate::parts::{ansi, time};
use crate::shell::{Page, Section};
use crate::url;
use crate::visit::Visit;

/// The end of a log that is shown at once.
const SHOWN: u64 = 256 * 1024;

/// Where the log of an attempt is.
pub fn address(run: RunId, task: &str, epoch: u32, attempt: u32) -> String {
    let (epoch, attempt) = (epoch.to_string(), attempt.to_string());
    url::with(
        &url::of_task(run, task, "logs"),
        &[("epoch", &epoch), ("attempt", &attempt)],
    )
}

/// The text of a log.
pub fn text(text: &str) -> Markup {
    html! {
        @if text.is_empty() { p.hint { "Nothing was printed, or it was kept elsewhere." } }
        @else { pre.log tabindex="0" role="region" aria-label="Log" { (ansi::log(text)) } }
    }
}

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>, run: &str, task: &str) -> Result<Page, Problem> {
    let (view, ()) = visit.run(run, |_| ()).await?;
    let bytes = visit
        .query
        .number("bytes")
        .unwrap_or(SHOWN)
        .clamp(1, LOG_BYTES_MAX);
    let log = ask(visit, run, task, bytes).await?;
    let (epoch, attempt) = (log.epoch.to_string(), log.attempt.to_string());
    let of_attempt = [("epoch", epoch.as_str()), ("attempt", attempt.as_str())];
    let with_bytes = |bytes: u64| {
        let bytes = bytes.to_string();
        let all = [of_attempt[0], of_attempt[1], ("bytes", &bytes)];
        url::with(&url::of_task(view.id, task, "logs"), &all)
    };
    let body = html! {
        (run::crumbs(view.id, &view.workflow, Some(task)))
        div.head {
            h1 { "Log of " a href=(url::task(view.id, task)) { (task) } }
            a.button href=(url::with(&url::of_task(view.id, task, "log.txt"), &of_attempt)) { "As a file" }
        }
        p.hint {
            "Attempt " (log.attempt) @if log.epoch > 1 { " of epoch " (log.epoch) } ", " (time::bytes(log.bytes)) " kept."
            @if log.bytes > bytes {
                " The last " (time::bytes(bytes)) " are shown. " a href=(with_bytes((bytes * 4).min(LOG_BYTES_MAX))) { "Show more" }
            }
        }
        (text(&log.text))
    };
    Ok(Page::new(format!("Log of {task}"), Section::Runs, body).live(visit.live(Some(view.id))))
}

/// The log as it came, as a file.
pub async fn file<B: Backend>(visit: &Visit<'_, B>, run: &str, task: &str) -> Result<Answer, Problem> {
    let log = ask(visit, run, task, LOG_BYTES_MAX).await?;
    let mut answer = Response::new(Bytes::from(log.text));
    let headers = answer.headers_mut();
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, text);
    let name = HeaderValue::from_static("attachment; filename=\"log.txt\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(answer)
}

async fn ask<B: Backend>(
    visit: &Visit<'_, B>,
    run: &str,
    task: &str,
    bytes: u64,
) -> Result<LogsView, Problem> {
    let path = format!("/runs/{}/tasks/{}/logs", encode(run), encode(task));
    let bytes = bytes.to_string();
    let asked = [
        ("epoch", visit.query.text("epoch")),
        ("attempt", visit.query.text("attempt")),
        ("bytes", &bytes),
    ];
    visit.get(&url::with(&path, &asked)).await
}
