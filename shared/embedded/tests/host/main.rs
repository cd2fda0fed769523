//! The embedded host as a whole: real commands, real files, restarts.
//!
//! - [`common`]: runs to submit, and waiting for them

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these files are test code, outside test functions"
)]

mod checkpoints;
mod common;
mod locked_store;
mod orchestrator;
mod sla;
