//! The trace of a run that has ended: whole, whatever happened to the run.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_engine::observe::Telemetry;
use orchestrator_engine::settings::Settings;
use orchestrator_engine::trace::history::History;
use orchestrator_engine::trace::{
    Phase, Propagators, Queue, Record, RunTrace, Sampler, Sink, Span, SpanId, Tracer, export,
};

use super::swarm::Swarm;
use crate::memory::MemoryJournal;

/// Marks that wait to be seen; more are dropped.
const QUEUE_MAX: usize = 30;
/// Every so many times that something is noted, the queue is emptied.
const WRITES: u32 = 7;
/// Notes that are made into spans at a time.
const NOTES_MAX: usize = 3;

/// Takes what engines tell while they work, with a queue that is too small now and then.
#[derive(Debug)]
pub(super) struct Collector {
    queue: Arc<Queue>,
    state: Mutex<Collected>,
}

#[derive(Debug, Default)]
struct Collected {
    writes: u32,
    spans: Vec<Span<'static>>,
}

impl Default for Collector {
    fn default() -> Collector {
        Collector {
            queue: Arc::new(Queue::new(QUEUE_MAX)),
            state: Mutex::default(),
        }
    }
}

impl Collector {
    /// Watches an engine.
    pub(super) fn telemetry(self: &Arc<Self>) -> Telemetry {
        let settings = orchestrator_engine::settings::Telemetry {
            enabled: Some(true),
            ..Settings::without_file().telemetry
        };
        let export = export::resolve(&settings, Propagators::default(), &|_| None, &mut Vec::new());
        let sink: Arc<dyn Sink> = Arc::clone(self) as _;
        Telemetry {
            tracer: export.map(|export| Arc::new(Tracer::new(&export, sink, 0))),
            ..Telemetry::default()
        }
    }

    /// Checks that what was told of runs is what their journals say, and that nothing is missing unless it may be.
    ///
    /// # Errors
    /// With what is wrong.
    pub(super) fn check(
        &self,
        journal: &MemoryJournal,
        runs: &[RunId],
        faults: &Swarm,
    ) -> Result<(), String> {
        let mut collected = self.lock();
        collected.take(&self.queue);
        let mut known: BTreeMap<SpanId, Span<'static>> = BTreeMap::new();
        for run in runs {
            let history = history(journal, *run)?;
            let trace = RunTrace::of(&history.state, &Sampler::default());
            let ended = history.ended.iter();
            let spans = ended.map(|interval| trace.span_of(interval).into_owned());
            known.extend(spans.map(|span| (span.context.span, span)));
        }
        let mut told = BTreeSet::new();
        for span in &collected.spans {
            let id = span.context.span;
            if is_turn(span) {
                // It is not in the journal, but the part of the run it belongs to is.
                if span.parent.is_none_or(|part| !known.contains_key(&part)) {
                    return Err(format!("TRACE-2 broken: a turn of no part of its run: {span:?}"));
                }
                continue;
            }
            told.insert(id);
            if known.get(&id) != Some(span) {
                return Err(format!(
                    "TRACE-2 broken: told: {span:?}, according to the journal: {:?}",
                    known.get(&id)
                ));
            }
        }
        // Whoever dies, or does not hear that it has appended, tells nobody.
        let may_miss = self.queue.dropped() > 0 || faults.crash + faults.restart + faults.lose_answer > 0;
        match known.iter().find(|(id, _)| !told.contains(id)) {
            Some((_, span)) if !may_miss => Err(format!("TRACE-2 broken: never told: {span:?}")),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collected {
    fn take(&mut self, queue: &Queue) {
        queue.take();
        while queue.make(NOTES_MAX, |span| self.spans.push(span.into_owned())) {}
    }
}

impl Sink for Collector {
    fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Turns that failed and dispatches are told besides, and are not in the journal.
    fn take(&self, _: Record) {}

    fn noted(&self, _: Range<usize>) {
        let mut collected = self.lock();
        collected.writes += 1;
        if collected.writes.is_multiple_of(WRITES) {
            collected.take(&self.queue);
        }
    }
}

fn is_turn(span: &Span<'_>) -> bool {
    span.attributes.iter().any(|(name, _)| *name == "journal.seq")
}

fn history(journal: &MemoryJournal, run: RunId) -> Result<History, String> {
    History::read(journal, run)
        .now_or_never()
        .expect("memory does not wait")
        .map_err(|error| format!("the history of run {run}: {error}"))
}

/// Checks the spans that follow from a journal: every attempt that was queued has one, no two are the same, no parent is
/// missing, no time is negative.
///
/// # Errors
/// With what is wrong.
pub(super) fn check(journal: &MemoryJournal, run: RunId) -> Result<(), String> {
    let broken = |detail: String| format!("TRACE-1 broken: run {run}: {detail}");
    let history = history(journal, run)?;
    let trace = RunTrace::of(&history.state, &Sampler::default());
    let spans: Vec<Span<'_>> = history
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
    match history.open(history.last).as_slice() {
        [] => Ok(()),
        open => Err(broken(format!("something has not ended: {open:?}"))),
    }
}
