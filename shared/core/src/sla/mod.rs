//! Deadlines: what is written about them, what holds for a task, and the alerts about what is late.
//!
//! [`SlaSpec`] is what a document or a configuration says, [`Limits`] what then holds for one task or run, [`Stopwatch`]
//! measures, and an alert names what it is about by its [`AlertKey`]. `run` keeps the time.

mod alert;
mod limits;
mod spec;
mod stopwatch;

pub use alert::{AlertKey, DeadlineKind, Lateness, Stage};
pub use limits::{Limit, Limits};
pub use spec::{OnBreach, SlaSpec, WARN_PERCENT_DEFAULT};
pub use stopwatch::Stopwatch;
