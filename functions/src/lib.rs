//! What the six functions share. Each has a folder beside this one with a `main.rs` that decodes, calls, encodes.
//!
//! - [`start`]: clients, configuration and engine, once per process
//! - [`deliveries`]: batches of SQS messages, one turn per run (decision, task_events)
//! - [`job_changes`]: ends of AWS Batch jobs (task_events)
//! - [`sweep`]: runs that are due, leases that are left over (sla_sweep)
//! - [`translations`]: texts that wait to be translated (translator)
//! - [`api`]: requests of the HTTP API (intake, rollback), with [`gateway`] for their form and [`identity`] for who asks
//! - [`log`]: JSON lines; [`telemetry`]: spans and metrics; [`metrics`]: lines that become metrics
//!
//! What a function is told and answers is in `events/`, with a sample of each kind.

pub mod api;
pub mod deliveries;
mod emf;
pub mod gateway;
mod hop;
pub mod identity;
pub mod job_changes;
pub mod log;
pub mod metrics;
pub mod start;
pub mod sweep;
pub mod telemetry;
pub mod translations;
