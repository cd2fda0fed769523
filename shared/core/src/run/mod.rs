//! One run of a workflow as an event-sourced aggregate.
//!
//! A [`Command`] is decided on the [`RunState`]: it is refused with a [`Rejection`], or it produces [`Event`]s (facts to be
//! appended to the run's journal, which is the only truth) and [`Effect`]s (what the append makes due outside).
//! [`RunState::evolve`] folds events, [`RunState::outstanding`] recomputes what is owed.
//!
//! Task states and what moves them (`tests` check this table against the code):
//!
//! ```text
//! PENDING     --trigger satisfied-->            READY | RUNNING (for_each: expanded) | SKIPPED (when) | FAILED (bad when)
//! PENDING     --trigger cannot be satisfied-->  SKIPPED
//! READY, HELD --answer-->                       QUEUED | HELD | SKIPPED (denied) | FAILED (denied) | SUCCESS (kept)
//! HELD        --due, approved, priority-->      READY
//! HELD        --rejected-->                     FAILED
//! QUEUED      --started-->                      RUNNING
//! QUEUED, RUNNING --success-->                  SUCCESS
//! QUEUED, RUNNING --failure-->                  RETRY_WAIT | FAILED
//! RUNNING     --timeout-->                      RETRY_WAIT | FAILED
//! RUNNING (for_each) --children ended-->        SUCCESS | FAILED
//! RETRY_WAIT  --due-->                          READY
//! FAILED      --approved (an action of a rollback)--> SUCCESS
//! SUCCESS, FAILED, CANCELLED (for_each) --a child starts over--> RUNNING
//! READY, HELD --deadline-->                     FAILED | CANCELLED (as 'on_breach' says)
//! QUEUED, RUNNING --deadline-->                 RETRY_WAIT | FAILED | CANCELLED
//! any open    --cancel-->                       CANCELLED
//! any but PENDING --retry, rerun, rollback-->   PENDING, in a new epoch
//! ```
//!
//! A terminal attempt never changes again: a new epoch is opened instead, and reports from any other (epoch, attempt) are
//! refused and recorded.

mod alerts;
pub mod backoff;
pub mod checkpoint;
pub mod command;
mod decide;
pub mod effect;
pub mod event;
mod evolve;
mod group;
pub mod invariants;
mod outstanding;
pub mod rejection;
pub mod reuse;
pub mod rollback;
pub mod scope;
mod start_over;
pub mod state;
pub mod status;
mod submission;
mod turn;
pub mod watch;

pub use checkpoint::{Checkpoint, ContentId, NewFiles, RejectedCheckpoint, SavedFiles};
pub use command::{Answer, Command, Report, ReportKind};
pub use decide::{BY_SLA, decide, submit};
pub use effect::Effect;
pub use event::{Event, Failure, FailureClass, Progress, SkipReason};
pub use group::{ChildOf, Group};
pub use rejection::Rejection;
pub use reuse::{Found, Lookup, Origin, ResultKey, TakenBack};
pub use rollback::undo_name;
pub use state::{Node, RunState};
pub use status::{RunStatus, TaskStatus};
pub use submission::{Carrier, Submission};
pub use turn::Outcome;
pub use watch::{Clock, Violation};

#[cfg(test)]
mod tests;
