//! The whole timeline of a run, read from its journal.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunState;
use orchestrator_core::time::Timestamp;

use super::interval::Interval;
use super::mark::Mark;
use super::timeline::Timeline;
use crate::error::Error;
use crate::ports::Journal;
use crate::views::{Replay, Step};

/// What a journal says about the time of its run.
#[derive(Debug)]
pub struct History {
    /// The run as it is.
    pub state: RunState,
    /// What has ended, in the order in which it ended.
    pub ended: Vec<Interval>,
    timeline: Timeline,
    /// When something last happened.
    pub last: Timestamp,
}

impl History {
    /// What has not ended yet, at `at`; the run last.
    pub fn open(&self, at: Timestamp) -> Vec<Interval> {
        self.timeline.open(at, &self.state.workflow)
    }

    /// Reads the history of a run.
    ///
    /// # Errors
    /// When there is no such run, or its journal cannot be read.
    pub async fn read<J: Journal>(journal: &J, run: RunId) -> Result<History, Error> {
        let mut replay = Replay::new(run);
        let mut seen: Option<(Timeline, Timestamp)> = None;
        let mut ended = Vec::new();
        let see = |step: Step<'_>| {
            let begin = || (Timeline::new(step.at, &step.state.workflow), step.at);
            let (timeline, last) = seen.get_or_insert_with(begin);
            if let Some(mark) = Mark::of(step.event) {
                timeline.see(mark, step.at, &step.state.workflow, &mut |interval| {
                    ended.push(interval)
                });
            }
            *last = step.at.max(*last);
        };
        replay.advance(journal, see).await?;
        match (seen, replay.into_state()) {
            (Some((timeline, last)), Some(state)) => Ok(History {
                state,
                ended,
                timeline,
                last,
            }),
            _ => Err(Error::UnknownRun(run)),
        }
    }
}
