//! The functions as they are deployed: their real programs, run by an emulator of AWS that delivers real messages between
//! them, with agents that take their tasks from queues or are AWS Batch jobs.
//!
//! The suite starts the emulator that `cargo xtask emulator --install` installs, or uses whatever `AWS_ENDPOINT_URL` names:
//! LocalStack, for instance. Every test has an account of its own.
//!
//! - [`deployment`]: tables, queues, functions and what connects them
//! - [`package`]: the programs of the functions: those of this build, or others
//! - [`agents`]: agents that take tasks from queues
//! - [`api`]: requests to the function `intake`
//! - [`bridge`]: the same over a socket, for programs that speak HTTP
//! - [`proxy`]: what goes wrong between a function and AWS
//! - [`storm`]: all of it at once, as [`judge`] decides

mod agents;
mod api;
mod bridge;
mod deployment;
mod judge;
mod package;
mod proxy;
mod workflows;
#[expect(dead_code, reason = "the tests of the adapters use more of it")]
#[path = "../../shared/aws/tests/on_emulator/world/mod.rs"]
mod world;

mod batch;
mod console;
mod examples;
mod faults;
mod golden;
mod pools;
mod reuse;
mod rollback;
mod sla;
mod storm;
mod sweep;
mod telemetry;
mod translation;
