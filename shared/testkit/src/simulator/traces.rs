//! The trace of a run that has ended: whole, whatever happened to the run.

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_engine::trace::history::History;
use orchestrator_engine::trace::{Phase, RunTrace, Sampler, Span, SpanId};

use crate::memory::MemoryJournal;

/// Checks the spans that follow from a journal: every attempt that was queued has one, no two are the same, no parent is
/// missing, no time is negative.
///
/// # Errors
/// With what is wrong.
pub(super) fn check(journal: &MemoryJournal, run: RunId) -> Result<(), String> {
    let broken = |detail: String| format!("TRACE-1 broken: run {run}: {detail}");
    let history = History::read(journal, run)
        .now_or_never()
        .expect("memory does not wait")
        .map_err(|error| broken(error.to_string()))?;
    let trace = RunTrace::of(&history.state, &Sampler::default());
    let spans: Vec<Span> = history
        .ended
        .iter()
        .map(|interval| trace.span_of(interval))
        .collect();
    let ids: BTreeSet<SpanId> = spans.iter().map(|span| span.context.span).collect();
    if ids.len() != spans.len() {
        return Err(broken(format!("{} spans have {} ids", spans.len(), ids.len())));
    }
    let orphan = spans
        .iter()
        .find(|span| span.parent.is_some_and(|parent| !ids.contains(&parent)));
    if let Some(orphan) = orphan {
        return Err(broken(format!("a span has no parent: {orphan:?}")));
    }
    if let Some(span) = spans.iter().find(|span| span.end < span.start) {
        return Err(broken(format!("a span ends before it begins: {span:?}")));
    }
    let attempts: Vec<AttemptKey> = history
        .ended
        .iter()
        .filter(|interval| interval.phase == Phase::Attempt)
        .filter_map(|interval| Some(interval.place?.key(run)))
        .collect();
    let queued: u32 = history.state.nodes().iter().map(|node| node.attempts_total).sum();
    if attempts.len() != queued as usize {
        return Err(broken(format!(
            "{queued} attempts were queued, {} have spans",
            attempts.len()
        )));
    }
    match history.timeline.open(history.last).as_slice() {
        [] => Ok(()),
        open => Err(broken(format!("something has not ended: {open:?}"))),
    }
}
