//! Notes: what whoever works on runs writes down for whoever makes spans of it. Small, because they are handed from one
//! processor to another.

use std::sync::Arc;

use orchestrator_core::time::Timestamp;

use super::mark::Mark;
use super::run::RunTrace;
use super::timeline::Timeline;
use super::turn::Worked;

/// One of the notes on all runs, in the order in which they were written.
#[derive(Debug)]
pub(super) enum Note {
    /// What follows is of this run and this time.
    Of(Of),
    /// It is followed from now on; what is past, if anything, has been seen by this timeline.
    Begin(Arc<RunTrace>, Option<Box<Timeline>>),
    /// It is followed no longer.
    End,
    Mark(Mark),
    /// A turn that began at that time.
    Turn(Worked),
}

/// What notes are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Of {
    /// The number of the run among those that were ever followed, from 1.
    pub(super) run: u64,
    pub(super) at: Timestamp,
    /// Whether it was told before, by whoever appended it.
    pub(super) is_told: bool,
}
