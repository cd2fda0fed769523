//! What is known about deadlines beyond single runs: how long the tasks of each agent take, and what has stalled.

mod histogram;
mod signature;
mod stall;
mod tally;

pub use histogram::Histogram;
pub use signature::AlertKeySecret;
pub use stall::{Stall, StallCause};
pub use tally::{Observation, Tallies, Tally, observations};
