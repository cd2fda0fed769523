//! One task of a timeline, as it goes on.

use std::sync::Arc;

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::HoldReason;
use orchestrator_core::time::Timestamp;

/// One task as it goes on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Track {
    pub(super) state: State,
    pub(super) since: Timestamp,
    pub(super) opened_at: Option<Timestamp>,
    pub(super) queued_at: Timestamp,
    pub(super) choice: Option<u32>,
    pub(super) epoch: u32,
    pub(super) reopened: u32,
    pub(super) attempt: u32,
    /// Epoch and number of the attempt that missed a deadline last.
    pub(super) late: Option<(u32, u32)>,
    pub(super) waits: u32,
    pub(super) item: Option<(NodeIx, u32)>,
    /// The name of a node that is neither a task of the workflow nor an item of one.
    pub(super) name: Option<Arc<str>>,
    /// First and number of the children of a `for_each` task.
    pub(super) children: (u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Ready,
    Held(HoldReason),
    Queued,
    Running,
    RetryWait,
    /// A `for_each` task whose children are at work.
    Group,
    Done,
}

impl Track {
    pub(super) fn new(item: Option<(NodeIx, u32)>) -> Track {
        Track {
            state: State::Pending,
            since: Timestamp(0),
            opened_at: None,
            queued_at: Timestamp(0),
            choice: None,
            epoch: 1,
            reopened: 0,
            attempt: 0,
            late: None,
            waits: 0,
            item,
            name: None,
            children: (0, 0),
        }
    }

    pub(super) fn enter(&mut self, state: State, at: Timestamp) {
        self.state = state;
        self.since = at;
    }
}
