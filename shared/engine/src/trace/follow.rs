//! Following a run: whoever works on it notes what it appended, whoever exports makes spans of that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_core::run::{Event, RunState};
use orchestrator_core::time::Timestamp;

use super::interval::Interval;
use super::mark::Mark;
use super::run::RunTrace;
use super::timeline::Timeline;
use super::turn::Worked;

/// Notes there is room for at first, and while nothing happens.
const ROOM: usize = 24;

/// A run that is followed from its first event.
#[derive(Debug)]
pub struct Following {
    trace: RunTrace,
    submitted_at: Timestamp,
    news: Apart<News>,
    seen: Apart<Mutex<Seen>>,
}

/// What goes from whoever works on the run to whoever exports: the less it is, the less one processor waits for the other.
#[derive(Debug)]
struct News {
    unseen: Mutex<Unseen>,
    /// Whether an exporter has been told that there is something to see.
    is_queued: AtomicBool,
}

#[derive(Debug)]
struct Unseen {
    /// What the timeline has not seen, in order.
    notes: Vec<Note>,
    /// The time of the next note.
    time: Time,
}

/// What the timeline has not seen.
#[derive(Debug)]
enum Note {
    /// What follows is of this time.
    Time(Time),
    Mark(Mark),
    /// A turn that began at that time.
    Turn(Worked),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    at: Timestamp,
    /// Whether it was told before, by whoever appended it.
    is_told: bool,
}

/// What there is to tell.
#[derive(Debug)]
pub(super) enum Told {
    /// Something has ended.
    Ended(Interval),
    /// A turn that began at `start`, in a part of the run.
    Turn {
        start: Timestamp,
        part: u32,
        turn: Worked,
    },
}

/// Alone in its lines of the processors' caches: one thread writes it while another writes its neighbours.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

/// The timeline, made when there is something to see.
#[derive(Debug)]
struct Seen {
    timeline: Option<Timeline>,
    /// The time of the next note.
    time: Time,
    /// Empty: room for what is seen at a time, so that whoever appends need not ask for it again.
    room: Vec<Note>,
}

impl Unseen {
    /// Notes what is of a time. How much it was.
    fn note(&mut self, time: Time, notes: impl Iterator<Item = Note>) -> usize {
        if self.notes.capacity() == 0 {
            self.notes.reserve(ROOM);
        }
        if std::mem::replace(&mut self.time, time) != time {
            self.notes.push(Note::Time(time));
        }
        let before = self.notes.len();
        self.notes.extend(notes);
        self.notes.len() - before
    }
}

impl Following {
    /// Begins to follow a run.
    pub fn new(trace: RunTrace, state: &RunState) -> Following {
        let time = Time {
            at: state.submitted_at,
            is_told: false,
        };
        Following {
            trace,
            submitted_at: state.submitted_at,
            news: Apart(News {
                unseen: Mutex::new(Unseen {
                    notes: Vec::new(),
                    time,
                }),
                is_queued: AtomicBool::new(false),
            }),
            seen: Apart(Mutex::new(Seen {
                timeline: None,
                time,
                room: Vec::new(),
            })),
        }
    }

    /// The trace of the run.
    pub fn trace(&self) -> &RunTrace {
        &self.trace
    }

    /// Takes in an event of the past, which was told when it happened.
    pub(crate) fn catch_up(&self, mark: Mark, at: Timestamp) {
        let mut seen = lock(&self.seen.0);
        let mut unseen = lock(&self.news.0.unseen);
        match unseen.notes.is_empty() {
            true => self.timeline(&mut seen.timeline).see(mark, at, &mut |_| {}),
            false => {
                let is_told = true;
                unseen.note(Time { at, is_told }, [Note::Mark(mark)].into_iter());
            }
        }
    }

    /// Notes what was appended at `at`. How much there is to see of it.
    pub(crate) fn note(&self, events: &[Event], at: Timestamp, mut watch: impl FnMut(&Mark)) -> usize {
        let marks = events.iter().filter_map(Mark::of).map(|mark| {
            watch(&mark);
            Note::Mark(mark)
        });
        lock(&self.news.0.unseen).note(Time { at, is_told: false }, marks)
    }

    /// Notes a turn that began at `at` and has just ended.
    pub(crate) fn note_turn(&self, at: Timestamp, turn: Worked) {
        let time = Time { at, is_told: false };
        lock(&self.news.0.unseen).note(time, [Note::Turn(turn)].into_iter());
    }

    /// Whether an exporter has been told of it and has not seen it since.
    pub(crate) fn is_queued(&self) -> bool {
        self.news.0.is_queued.load(Ordering::Acquire)
    }

    /// Notes that an exporter is told of it. Whether it had not been.
    pub(super) fn queue(&self) -> bool {
        !self.news.0.is_queued.swap(true, Ordering::AcqRel)
    }

    /// Sees everything there is to see, and tells of it.
    pub(super) fn see(&self, mut tell: impl FnMut(Told)) {
        // Before it is taken: what is noted from now on is queued again.
        self.news.0.is_queued.store(false, Ordering::Release);
        // Held until it has seen them: somebody else may be about to show it what comes after.
        let Seen { timeline, time, room } = &mut *lock(&self.seen.0);
        std::mem::swap(room, &mut lock(&self.news.0.unseen).notes);
        let timeline = self.timeline(timeline);
        for note in room.drain(..) {
            let Time { at, is_told } = *time;
            match note {
                Note::Time(next) => *time = next,
                Note::Mark(mark) if is_told => timeline.see(mark, at, &mut |_| {}),
                Note::Mark(mark) => timeline.see(mark, at, &mut |interval| tell(Told::Ended(interval))),
                Note::Turn(turn) => tell(Told::Turn {
                    start: at,
                    part: timeline.part(),
                    turn,
                }),
            }
        }
        if room.capacity() > ROOM {
            *room = Vec::new();
        }
    }

    fn timeline<'a>(&self, made: &'a mut Option<Timeline>) -> &'a mut Timeline {
        made.get_or_insert_with(|| Timeline::new(self.submitted_at, Arc::clone(self.trace.workflow())))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
