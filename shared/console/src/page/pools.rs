//! Pools: who holds the slots, who waits, in which order.

use maud::{Markup, html};
use orchestrator_engine::api::{Backend, Problem};
use orchestrator_engine::views::{LeaseView, PoolList, PoolView};

use crate::parts::{say, status};
use crate::shell::{Page, Section};
use crate::url;
use crate::visit::Visit;

/// The page.
pub async fn page<B: Backend>(visit: &Visit<'_, B>) -> Result<Page, Problem> {
    let mut list: PoolList = visit.get("/pools").await?;
    // What is full comes first.
    list.pools
        .sort_by_key(|pool| (std::cmp::Reverse(pool.waiting), std::cmp::Reverse(pool.used)));
    let is_operator = visit.is_operator();
    let body = html! {
        h1 { "Pools" }
        p.hint { "A task holds its slots from when it is queued until it ends. A slot that comes free goes to the first in line." }
        @if list.pools.is_empty() {
            (say::empty("There are no pools", html! { "A pool appears when the configuration or the policy names one." }))
        }
        @if !is_operator && !list.pools.is_empty() {
            p.hint { "Who holds and who waits is shown to operators." }
        }
        div.pools { @for pool in &list.pools { (one(pool, is_operator)) } }
    };
    Ok(Page::new("Pools", Section::Pools, body).live(visit.live(None)))
}

fn one(pool: &PoolView, is_operator: bool) -> Markup {
    let words = format!(
        "{} of {} slots in use, {} waiting",
        pool.used, pool.capacity, pool.waiting
    );
    html! {
        section.card id=(format!("pool-{}", pool.pool)) {
            div.head {
                h2 { (pool.pool) }
                @if pool.waiting > 0 { (status::badge("held", &format!("{} waiting", pool.waiting))) }
                @else if pool.used >= pool.capacity { (status::badge("queued", "full")) }
                @else { (status::badge("success", "free")) }
            }
            meter min="0" max=(pool.capacity.max(1)) value=(pool.used) aria-label=(words) {}
            p { (words) }
            @if is_operator && !pool.holders.is_empty() {
                h3 { "Holders" }
                ul.plain { @for lease in &pool.holders { li { (of(lease)) } } }
                (more(pool.used, pool.holders.len()))
            }
            @if is_operator && !pool.waiters.is_empty() {
                h3 { "Waiting, first in line first" }
                ol { @for lease in &pool.waiters { li { (of(lease)) } } }
                (more(pool.waiting, pool.waiters.len()))
            }
        }
    }
}

fn of(lease: &LeaseView) -> Markup {
    html! {
        @match &lease.task {
            Some(task) => {
                a href=(url::task(lease.run_id, task)) { (task) }
                span.hint { " of " a href=(url::run(lease.run_id)) { "…" (url::short(lease.run_id)) } ", attempt " (lease.attempt) }
            },
            None => a href=(url::run(lease.run_id)) { "run …" (url::short(lease.run_id)) },
        }
    }
}

/// Slots are counted, holders are named: one holder may have several slots.
fn more(count: u32, named: usize) -> Markup {
    let is_cut = named >= PoolView::SHOWN_MAX && count as usize > named;
    html! { @if is_cut { p.hint { "… the first " (named) " are shown." } } }
}
