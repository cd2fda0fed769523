//! Everything that happened in a run.

use maud::html;
use orchestrator_engine::api::{Backend, Problem};
use orchestrator_engine::views::EventPage;

use super::run::{self, View};
use crate::parts::{json, say, status, time};
use crate::shell::Page;
use crate::url;
use crate::visit::Visit;

/// Appends on a page.
const PAGE: u64 = 50;
/// Events on a page: an append can hold many.
const EVENTS_MAX: usize = 200;

/// The page: the last appends, or those before `?before=`.
pub async fn page<B: Backend>(visit: &Visit<'_, B>, run: &str) -> Result<Page, Problem> {
    let (view, ()) = visit.run(run, |_| ()).await?;
    let before: u64 = visit.query.number("before").unwrap_or(u64::MAX).min(view.seq + 1);
    let after = before.saturating_sub(PAGE + 1);
    let path = format!("/runs/{}/events?after={after}&limit={EVENTS_MAX}", view.id);
    let mut page: EventPage = visit.get(&path).await?;
    let was_cut = page.has_more && page.next_after + 1 < before;
    page.events.retain(|event| event.seq < before);
    page.events.reverse();
    let here = url::of_run(view.id, "events");
    let older = (after > 0).then(|| url::with(&here, &[("before", &(after + 1).to_string())]));
    let newer = (before <= view.seq).then(|| {
        let next = before.saturating_add(PAGE);
        let next = if next > view.seq {
            String::new()
        } else {
            next.to_string()
        };
        url::with(&here, &[("before", &next)])
    });
    let body = html! {
        @if was_cut {
            p.hint { "More than " (EVENTS_MAX) " events happened here; the first of them are shown. The API has them all." }
        }
        table.cards.rows {
            thead { tr { th { "When" } th { "Event" } th { "Task" } th { "State after it" } th { "What happened" } } }
            tbody {
                @for event in &page.events {
                    tr id=(format!("event-{}-{}", event.seq, event.index)) {
                        td data-label="When" { (time::at(event.at)) }
                        td data-label="Event" { code { (event.kind.to_lowercase().replace('_', " ")) } }
                        td data-label="Task" { @match &event.task { Some(task) => a href=(url::task(view.id, task)) { (task) }, None => span.none { "the run" } } }
                        td data-label="State after it" { (status::named(&event.status)) }
                        td.why data-label="What happened" {
                            (say::with_names(&event.text))
                            @if !event.data.is_empty() {
                                details.more { summary { "Details" } (json::block(&serde_json::Value::Object(event.data.clone()))) }
                            }
                        }
                    }
                }
            }
        }
        (say::pager("newest first", newer.as_deref(), older.as_deref()))
    };
    Ok(run::page(visit, &view, View::Events, body))
}
