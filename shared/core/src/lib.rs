//! The pure heart of Master Orchestrator.
//!
//! Everything here is synchronous and deterministic: no IO, no clock, no randomness, no threads. Time is an
//! argument, ids come from outside, and the same journal always gives the same state. The IO shell around it is the
//! `orchestrator-engine` crate.
//!
//! Reading order:
//! - [`workflow`]: a DSL document becomes a validated graph, or a list of problems.
//! - [`run`]: one run of a workflow as an event-sourced aggregate (`decide`, `evolve`, `outstanding`).
//! - [`policy`]: whether, where and how a task may run (`choose`).
//! - [`pool`]: concurrency limits across runs.
//! - [`sla`]: deadlines and alerts.
//! - [`guard`]: admission of requests.
//! - [`ids`], [`time`]: the small types everything else uses.

pub mod guard;
pub mod ids;
pub mod policy;
pub mod pool;
pub mod run;
pub mod sla;
pub mod time;
pub mod workflow;
