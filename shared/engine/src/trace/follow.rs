//! Following a run: whoever works on it notes what it appended, whoever exports makes spans of that.

use std::ops::Range;
use std::sync::Arc;

use orchestrator_core::run::Event;
use orchestrator_core::time::Timestamp;

use super::mark::Mark;
use super::note::{Note, Of};
use super::queue::Queue;
use super::run::RunTrace;
use super::timeline::Timeline;
use super::turn::Worked;

/// A run that is followed from its first event, for whoever works on it.
#[derive(Debug)]
pub(crate) struct Following {
    trace: Arc<RunTrace>,
    queue: Arc<Queue>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nothing has been noted: what is past, if anything, has been seen by this timeline.
    Unnoted(Option<Box<Timeline>>),
    /// It has this number in the queue, and so many notes had been written when its last one was.
    Noted { run: u64, last: u64 },
}

impl Following {
    /// Begins to follow a run.
    pub(crate) fn new(trace: Arc<RunTrace>, queue: Arc<Queue>) -> Following {
        Following {
            trace,
            queue,
            stage: Stage::Unnoted(None),
        }
    }

    /// The trace of the run.
    pub(crate) fn trace(&self) -> &Arc<RunTrace> {
        &self.trace
    }

    /// Takes in an event of the past, which was told when it happened.
    pub(crate) fn catch_up(&mut self, mark: Mark, at: Timestamp) {
        match &mut self.stage {
            Stage::Unnoted(timeline) => {
                let timeline = timeline.get_or_insert_with(|| Box::new(self.trace.timeline()));
                self.trace.see(timeline, mark, at, &mut |_| {});
            }
            Stage::Noted { run, last } => {
                let (run, is_told) = (*run, true);
                if let Err(mark) = self.queue.see_at_once(run, *last, mark, at) {
                    self.write(at, is_told, |notes| notes.push(Note::Mark(mark)));
                }
            }
        }
    }

    /// Notes what was appended at `at`. How many spans waited in the queue before, and how many do now.
    pub(crate) fn note(
        &mut self,
        events: &[Event],
        at: Timestamp,
        mut watch: impl FnMut(&Mark),
    ) -> Range<usize> {
        let marks = events.iter().filter_map(Mark::of).map(|mark| {
            watch(&mark);
            Note::Mark(mark)
        });
        self.write(at, false, |notes| notes.extend(marks))
    }

    /// Notes a turn that began at `at` and has just ended. How many spans waited before, and how many do now.
    pub(crate) fn note_turn(&mut self, at: Timestamp, turn: Worked) -> Range<usize> {
        self.write(at, false, |notes| notes.push(Note::Turn(turn)))
    }

    fn write(&mut self, at: Timestamp, is_told: bool, write: impl FnOnce(&mut Vec<Note>)) -> Range<usize> {
        let mut lane = self.queue.lane();
        let run = match &self.stage {
            Stage::Noted { run, .. } => *run,
            Stage::Unnoted(_) => lane.new_run(),
        };
        lane.turn_to(Of { run, at, is_told });
        if let Stage::Unnoted(timeline) = &mut self.stage {
            lane.push(Note::Begin(Arc::clone(&self.trace), timeline.take()));
        }
        let waiting = lane.write(write);
        let last = lane.written();
        self.stage = Stage::Noted { run, last };
        waiting
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Stage::Noted { run, .. } = self.stage {
            self.queue.lane().end(run);
        }
    }
}
