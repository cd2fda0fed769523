//! Spans that a killed process may not have sent: they follow from the journals, so they are made again. What was sent
//! before has the same ids and is the same span.

use std::sync::Arc;

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::engine::Engine;
use orchestrator_engine::ports::RunIndex as _;
use orchestrator_engine::ports::run_index::RunQuery;
use orchestrator_engine::trace::history::History;
use orchestrator_engine::trace::{Record, RunTrace, Tracer};

use super::ports::EmbeddedPorts;

/// What ended so long before the last event of its run may not have been sent, milliseconds.
const RECENT_MS: u64 = 30_000;
/// Runs that ended so recently are looked at, too, milliseconds.
const ENDED_MS: u64 = 120_000;

/// Sends what may have been lost of these runs and of those that ended recently.
pub(crate) async fn resend(
    engine: &Engine<EmbeddedPorts>,
    tracer: &Tracer,
    active: &[RunId],
    now: Timestamp,
) {
    let query = RunQuery {
        statuses: Vec::new(),
        client_id: None,
        workflow: None,
        before: None,
        limit: RunQuery::LIMIT_MAX,
    };
    let newest = engine.ports().index.list(&query).await.unwrap_or_default();
    let ended = newest.into_iter().filter(|run| {
        run.finished_at
            .is_some_and(|ended| now.millis_since(ended) < ENDED_MS)
    });
    for run in ended.map(|run| run.run).chain(active.iter().copied()) {
        // Whoever loads the run tells that it cannot be read.
        if let Ok(history) = History::read(&engine.ports().journal, run).await {
            let records = recent(&history, tracer).into_iter();
            records.for_each(|record| tracer.record(record));
        }
    }
}

fn recent(history: &History, tracer: &Tracer) -> Vec<Record> {
    let trace = Arc::new(RunTrace::of(&history.state, tracer.sampler()));
    if !trace.is_sampled() {
        return Vec::new();
    }
    let is_recent = |end: Timestamp| history.last.millis_since(end) <= RECENT_MS;
    let request = trace
        .request(history.state.submitted_at)
        .filter(|span| is_recent(span.end))
        .map(|span| Record::Span(Box::new(span)));
    let intervals = history.ended.iter().filter(|interval| is_recent(interval.end));
    let intervals = Record::Intervals(Arc::clone(&trace), intervals.cloned().collect());
    request.into_iter().chain([intervals]).collect()
}
