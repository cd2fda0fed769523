//! The lane: notes on all runs, one after the other, while they wait.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::MutexGuard;

use super::note::{Note, Of};
use super::queue::Queue;
use super::tracer::Record;

/// What waits to be taken.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    notes: Vec<Note>,
    records: VecDeque<Record>,
    spans: usize,
    /// What the last note was about.
    of: Of,
    /// Notes that were taken so far.
    taken: u64,
    /// Runs that were ever followed.
    runs: u64,
    is_closed: bool,
}

/// The lane of a queue, for whoever writes into it.
pub(super) struct Lane<'a> {
    queue: &'a Queue,
    waiting: MutexGuard<'a, Waiting>,
}

impl Waiting {
    pub(super) fn spans(&self) -> usize {
        self.spans
    }

    /// Whether what waits is to be dropped for what comes. Few notes are not about a span, unless nobody takes them.
    pub(super) fn is_full(&self, spans_max: usize) -> bool {
        self.spans >= spans_max || self.notes.len() >= spans_max.saturating_mul(4)
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Everything that waits, for empty memory to be written next.
    pub(super) fn take(&mut self, spare: Vec<Note>) -> (Vec<Note>, VecDeque<Record>) {
        self.taken += self.notes.len() as u64;
        self.spans = 0;
        (
            std::mem::replace(&mut self.notes, spare),
            std::mem::take(&mut self.records),
        )
    }
}

impl<'a> Lane<'a> {
    pub(super) fn new(queue: &'a Queue, waiting: MutexGuard<'a, Waiting>) -> Lane<'a> {
        Lane { queue, waiting }
    }

    /// The number of a run that is followed from now on.
    pub(super) fn new_run(&mut self) -> u64 {
        self.waiting.runs += 1;
        self.waiting.runs
    }

    /// What is written next is about this.
    pub(super) fn turn_to(&mut self, of: Of) {
        if std::mem::replace(&mut self.waiting.of, of) != of {
            self.push(Note::Of(of));
        }
    }

    /// Writes a note that is no span.
    pub(super) fn push(&mut self, note: Note) {
        self.waiting.notes.push(note);
    }

    /// Writes notes that are spans. How many spans waited before, and how many do now.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<Note>)) -> Range<usize> {
        let Waiting {
            notes,
            spans,
            is_closed,
            ..
        } = &mut *self.waiting;
        let (before, length) = (*spans, notes.len());
        write(notes);
        // Whoever exports comes to an end, whoever works on runs may not yet.
        if !*is_closed {
            *spans += notes.len() - length;
        }
        before..*spans
    }

    /// Notes that a run is followed no longer.
    pub(super) fn end(&mut self, run: u64) {
        let of = Of {
            run,
            ..self.waiting.of
        };
        self.turn_to(of);
        self.push(Note::End);
    }

    /// How many notes were written so far.
    pub(super) fn written(&self) -> u64 {
        self.waiting.taken + self.waiting.notes.len() as u64
    }

    /// Takes in a record. How many spans waited before, and how many do now.
    pub(super) fn push_record(mut self, record: Record) -> Range<usize> {
        let before = self.waiting.spans;
        if self.waiting.is_closed {
            self.queue.count_dropped(record.spans());
            return before..before;
        }
        self.waiting.spans += record.spans();
        self.waiting.records.push_back(record);
        before..self.waiting.spans
    }
}
