//! Following a run: whoever works on it notes what it appended, whoever exports makes spans of that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_core::run::{Event, RunState};
use orchestrator_core::time::Timestamp;

use super::interval::Interval;
use super::mark::Mark;
use super::run::RunTrace;
use super::timeline::Timeline;

/// Marks there is room for at first, and while nothing happens.
const ROOM: usize = 24;

/// A run that is followed from its first event.
#[derive(Debug)]
pub struct Following {
    trace: RunTrace,
    submitted_at: Timestamp,
    /// What the timeline has not seen.
    unseen: Apart<Mutex<Vec<Unseen>>>,
    seen: Apart<Mutex<Seen>>,
    /// Whether an exporter has been told that there is something to see.
    is_queued: Apart<AtomicBool>,
}

/// Alone in its lines of the processors' caches: one thread writes it while another writes its neighbours.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// The timeline, made when there is something to see.
#[derive(Debug, Default)]
struct Seen {
    timeline: Option<Timeline>,
    /// Empty: room for what is seen at a time, so that whoever appends need not ask for it again.
    room: Vec<Unseen>,
}

/// A mark the timeline has not seen.
#[derive(Debug)]
struct Unseen {
    mark: Mark,
    at: Timestamp,
    /// Whether it was told before, by whoever appended it.
    is_told: bool,
}

impl Following {
    /// Begins to follow a run.
    pub fn new(trace: RunTrace, state: &RunState) -> Following {
        Following {
            trace,
            submitted_at: state.submitted_at,
            unseen: Apart::default(),
            seen: Apart::default(),
            is_queued: Apart::default(),
        }
    }

    /// The trace of the run.
    pub fn trace(&self) -> &RunTrace {
        &self.trace
    }

    /// Takes in an event of the past, which was told when it happened.
    pub(crate) fn catch_up(&self, mark: Mark, at: Timestamp) {
        let mut seen = lock(&self.seen.0);
        let mut unseen = lock(&self.unseen.0);
        match unseen.is_empty() {
            true => self.timeline(&mut seen.timeline).see(mark, at, &mut |_| {}),
            false => {
                let is_told = true;
                unseen.push(Unseen { mark, at, is_told });
            }
        }
    }

    /// Notes what was appended at `at`. How many marks there are to see.
    pub(crate) fn note(&self, events: &[Event], at: Timestamp, mut watch: impl FnMut(&Mark)) -> usize {
        let mut unseen = lock(&self.unseen.0);
        let before = unseen.len();
        if unseen.capacity() == 0 {
            unseen.reserve(ROOM);
        }
        unseen.extend(events.iter().filter_map(Mark::of).map(|mark| {
            watch(&mark);
            let is_told = false;
            Unseen { mark, at, is_told }
        }));
        unseen.len() - before
    }

    /// Whether an exporter has been told of it and has not seen it since.
    pub(crate) fn is_queued(&self) -> bool {
        self.is_queued.0.load(Ordering::Acquire)
    }

    /// Notes that an exporter is told of it. Whether it had not been.
    pub(super) fn queue(&self) -> bool {
        !self.is_queued.0.swap(true, Ordering::AcqRel)
    }

    /// Sees everything there is to see, and tells what has ended.
    pub(super) fn see(&self, mut ended: impl FnMut(Interval)) {
        // Before it is taken: what is noted from now on is queued again.
        self.is_queued.0.store(false, Ordering::Release);
        // Held until it has seen them: somebody else may be about to show it what comes after.
        let seen = &mut *lock(&self.seen.0);
        std::mem::swap(&mut seen.room, &mut *lock(&self.unseen.0));
        let timeline = self.timeline(&mut seen.timeline);
        for Unseen { mark, at, is_told } in seen.room.drain(..) {
            match is_told {
                true => timeline.see(mark, at, &mut |_| {}),
                false => timeline.see(mark, at, &mut ended),
            }
        }
        if seen.room.capacity() > ROOM {
            seen.room = Vec::new();
        }
    }

    fn timeline<'a>(&self, made: &'a mut Option<Timeline>) -> &'a mut Timeline {
        made.get_or_insert_with(|| Timeline::new(self.submitted_at, Arc::clone(self.trace.workflow())))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
