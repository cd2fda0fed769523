//! What waits to be exported: bounded, counted in spans.
//!
//! Whoever works on runs writes short notes on all of them into one lane, in order; whoever exports takes the lane as a whole
//! and makes spans of the notes, with a timeline for every run. So all that goes from one processor to the other is memory
//! that is written from one end to the other and then read so. Notes kept with each run cost whoever works on runs about
//! twice as much: both sides go back to every one of them, time and again.
//!
//! A mark is counted as a span: some make none, few make two.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_core::ids::IdMap;
use orchestrator_core::time::Timestamp;

use super::interval::Interval;
use super::lane::{Lane, Waiting};
use super::mark::Mark;
use super::note::{Note, Of};
use super::run::RunTrace;
use super::span::Span;
use super::timeline::Timeline;
use super::tracer::Record;
use super::turn::Worked;

/// Spans on their way to a collector, or what they are made of.
#[derive(Debug)]
pub struct Queue {
    spans_max: usize,
    waiting: Apart<Mutex<Waiting>>,
    // Locked before `waiting`.
    taken: Apart<Mutex<Taken>>,
    dropped: AtomicU64,
}

/// Alone in its lines of the processors' caches: one thread writes it while another writes its neighbours.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

/// What spans are made of next, and every run that is followed.
#[derive(Debug, Default)]
struct Taken {
    records: VecDeque<Record>,
    notes: VecDeque<Note>,
    runs: IdMap<u64, Followed>,
    /// Those that are followed no longer. They are let go of together: others count who uses their workflow, too, and threads
    /// that count one thing in turns hold each other up.
    ended: Vec<Followed>,
    /// What the next note is about.
    of: Of,
    /// Notes seen so far.
    seen: u64,
}

/// A run that is followed, for whoever exports.
#[derive(Debug)]
struct Followed {
    trace: Arc<RunTrace>,
    timeline: Timeline,
}

/// What there is to tell of a run.
enum Told {
    /// Something has ended.
    Ended(Interval),
    /// A turn has, which began at that time in that part of the run.
    Turn(Timestamp, u32, Worked),
}

impl Queue {
    /// An empty queue; when so many spans wait, they are dropped for those that come then.
    pub fn new(spans_max: usize) -> Queue {
        Queue {
            spans_max,
            waiting: Apart(Mutex::default()),
            taken: Apart(Mutex::default()),
            dropped: AtomicU64::new(0),
        }
    }

    /// How many spans wait.
    pub fn waiting(&self) -> usize {
        lock(&self.waiting.0).spans()
    }

    /// How many spans were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes nothing more in: from now on everything is dropped.
    pub fn close(&self) {
        lock(&self.waiting.0).close();
    }

    /// Takes in a record. How many spans waited before, and how many do now.
    pub fn push(&self, record: Record) -> Range<usize> {
        self.lane().push_record(record)
    }

    /// Everything that waits is to be made into spans next.
    pub fn take(&self) {
        let mut taken = lock(&self.taken.0);
        taken.take(&self.waiting.0);
    }

    /// Makes spans of what was taken, `notes_max` notes at a time: whoever works on a run may have to wait meanwhile. Whether
    /// there may be more of it.
    pub fn make(&self, notes_max: usize, mut take: impl FnMut(Span<'_>)) -> bool {
        let mut taken = lock(&self.taken.0);
        if let Some(record) = taken.records.pop_front() {
            record.make(take);
            return true;
        }
        for _ in 0..notes_max {
            let is_one = taken.see_next(|trace, told| match told {
                Told::Ended(interval) => take(trace.span_of(&interval)),
                Told::Turn(start, part, turn) => take(trace.span_of_turn(start, part, &turn)),
            });
            if !is_one {
                taken.ended.clear();
                return false;
            }
        }
        taken.ended.clear();
        true
    }

    /// Drops everything that waits or was taken. Runs stay followed, so that what they append later is seen in its place.
    pub fn drop_all(&self) {
        let mut taken = lock(&self.taken.0);
        // What was taken comes before what waits.
        let mut spans = taken.drop_all();
        taken.take(&self.waiting.0);
        spans += taken.drop_all();
        self.count_dropped(spans);
    }

    /// Where notes are written.
    pub(super) fn lane(&self) -> Lane<'_> {
        let waiting = lock(&self.waiting.0);
        if !waiting.is_full(self.spans_max) {
            return Lane::new(self, waiting);
        }
        drop(waiting);
        self.drop_all();
        Lane::new(self, lock(&self.waiting.0))
    }

    /// Shows a run what is past, if everything that was noted of it has been seen: so many notes had been written when its
    /// last one was.
    ///
    /// # Errors
    /// With the mark, if it has to wait.
    pub(super) fn see_at_once(&self, run: u64, last: u64, mark: Mark, at: Timestamp) -> Result<(), Mark> {
        let mut taken = lock(&self.taken.0);
        let is_seen = last <= taken.seen;
        match taken.runs.get_mut(&run).filter(|_| is_seen) {
            Some(Followed { trace, timeline }) => {
                trace.see(timeline, mark, at, &mut |_| {});
                Ok(())
            }
            None => Err(mark),
        }
    }

    pub(super) fn count_dropped(&self, spans: usize) {
        self.dropped.fetch_add(spans as u64, Ordering::Relaxed);
    }
}

impl Taken {
    fn take(&mut self, waiting: &Mutex<Waiting>) {
        // Empty most of the time: its memory is written again.
        let spare = match self.notes.is_empty() {
            true => Vec::from(std::mem::take(&mut self.notes)),
            false => Vec::new(),
        };
        let (notes, mut records) = lock(waiting).take(spare);
        match self.notes.is_empty() {
            true => self.notes = VecDeque::from(notes),
            false => self.notes.extend(notes),
        }
        self.records.append(&mut records);
    }

    /// Drops what was taken. How many spans that were.
    fn drop_all(&mut self) -> usize {
        let records = self.records.drain(..).map(|record| record.spans());
        let mut spans = records.sum();
        while self.see_next(|_, _| spans += 1) {}
        self.ended.clear();
        spans
    }

    /// Sees the next note, and tells of what comes of it. Whether there was one.
    fn see_next(&mut self, mut tell: impl FnMut(&RunTrace, Told)) -> bool {
        let Some(note) = self.notes.pop_front() else {
            return false;
        };
        self.seen += 1;
        let Of { run, at, is_told } = self.of;
        match note {
            Note::Of(of) => self.of = of,
            Note::Begin(trace, timeline) => {
                let timeline = timeline.map_or_else(|| trace.timeline(), |timeline| *timeline);
                self.runs.insert(run, Followed { trace, timeline });
            }
            Note::End => self.ended.extend(self.runs.remove(&run)),
            Note::Mark(mark) => {
                if let Some(Followed { trace, timeline }) = self.followed(run) {
                    trace.see(timeline, mark, at, &mut |interval| {
                        if !is_told {
                            tell(trace, Told::Ended(interval));
                        }
                    });
                }
            }
            Note::Turn(turn) => {
                if let Some(Followed { trace, timeline }) = self.followed(run) {
                    tell(trace, Told::Turn(at, timeline.part(), turn));
                }
            }
        }
        true
    }

    /// The run of a note, which stands between its beginning and its end.
    fn followed(&mut self, run: u64) -> Option<&mut Followed> {
        let followed = self.runs.get_mut(&run);
        debug_assert!(followed.is_some(), "a note on a run that is not followed");
        followed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use orchestrator_core::run::Event;

    use super::super::follow::Following;
    use super::*;
    use crate::given::{self, submitted};
    use crate::trace::Sampler;

    fn following(queue: &Arc<Queue>) -> Following {
        let document = "name: w\ntasks:\n- {id: a, agent: noop, action: x}\n";
        let state = submitted(document, Timestamp(0));
        let trace = RunTrace::of(&state, &Sampler::default());
        Following::new(Arc::new(trace), Arc::clone(queue))
    }

    /// Names and times of the spans that are made of what waits.
    fn made(queue: &Queue) -> Vec<(String, i64, i64)> {
        let mut made = Vec::new();
        queue.take();
        while queue.make(1, |span| {
            made.push((span.name.to_string(), span.start.0, span.end.0))
        }) {}
        made
    }

    fn span(name: &str, start: i64, end: i64) -> (String, i64, i64) {
        (name.to_owned(), start, end)
    }

    fn record() -> Record {
        Record::Span(Box::new(given::span()))
    }

    #[test]
    fn what_does_not_fit_is_dropped_for_what_comes() {
        let queue = Queue::new(2);
        let waiting: Vec<_> = (0..3).map(|_| queue.push(record())).collect();
        assert_eq!((waiting, queue.dropped()), (vec![0..1, 1..2, 0..1], 2));
        assert_eq!(made(&queue).len(), 1);
        queue.close();
        assert_eq!((queue.push(record()), queue.dropped()), (0..0, 3));
        assert_eq!(made(&queue), []);
    }

    #[test]
    fn a_run_goes_on_after_what_was_dropped_of_it() {
        let queue = Arc::new(Queue::new(1));
        let mut following = following(&queue);
        assert_eq!(following.note(&[Event::RunAdmitted], Timestamp(10), |_| {}), 0..1);
        assert_eq!(
            following.note(&[Event::RunSucceeded], Timestamp(20), |_| {}),
            0..1
        );
        assert_eq!(queue.dropped(), 1);
        assert_eq!(made(&queue), [span("run w", 0, 20)]);
    }

    #[test]
    fn what_is_past_is_seen_in_its_place_and_not_told() {
        let queue = Arc::new(Queue::new(10));
        let mark = |event: &Event| Mark::of(event).unwrap();

        // Before anything was noted, after it was taken, and while it waits.
        let mut early = following(&queue);
        early.catch_up(mark(&Event::RunAdmitted), Timestamp(10));
        early.note(&[Event::RunSucceeded], Timestamp(20), |_| {});
        assert_eq!(made(&queue), [span("run w", 0, 20)]);

        let mut late = following(&queue);
        late.note(&[Event::RunAdmitted], Timestamp(10), |_| {});
        assert_eq!(made(&queue), [span("admission", 0, 10)]);
        late.catch_up(mark(&Event::RunSucceeded), Timestamp(20));
        assert_eq!(queue.waiting(), 0);
        late.note(&[Event::RunSucceeded], Timestamp(30), |_| {});
        assert_eq!(made(&queue), [], "it has ended, which was told before");

        let mut between = following(&queue);
        between.note(&[Event::RunAdmitted], Timestamp(10), |_| {});
        assert_eq!(made(&queue), [span("admission", 0, 10)]);
        between.note(&[Event::RunSucceeded], Timestamp(20), |_| {});
        let (by, reason) = (String::new(), String::new());
        between.catch_up(mark(&Event::RunReopened { by, reason }), Timestamp(30));
        between.note(&[Event::RunSucceeded], Timestamp(40), |_| {});
        assert_eq!(made(&queue), [span("run w", 0, 20), span("run w", 30, 40)]);

        drop((early, late, between));
        made(&queue);
        assert!(
            lock(&queue.taken.0).runs.is_empty(),
            "they are followed no longer"
        );
    }
}
