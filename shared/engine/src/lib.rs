//! The use cases of Master Orchestrator and the ports they need.
//!
//! A host (the embedded one, Lambda, the simulator) provides [`ports`] and calls the [`engine::Engine`]: [`submit`] starts a
//! run, [`handle`] takes messages, both go through the loop in [`drive`]. Nothing here knows a database, a queue or a
//! runtime.
//!
//! Reading order: [`drive`], [`decision`], [`handle`], [`effects`], then [`ports`] and [`record`]; [`trace`] and [`observe`] watch.

// Hosts poll these futures on one thread or with concrete types; no caller needs them boxed or `Send` by contract.
#![expect(async_fn_in_trait)]

extern crate alloc;

pub mod api;
pub mod decision;
pub mod drive;
pub mod effects;
pub mod engine;
pub mod env_vars;
pub mod envelope;
pub mod error;
#[cfg(test)]
mod given;
pub mod handle;
pub mod metrics;
pub mod observe;
pub mod ports;
pub mod reclaim;
pub mod record;
mod republish;
pub mod results;
pub mod settings;
pub mod sla;
pub mod submit;
pub mod sweep;
pub mod token;
pub mod trace;
pub mod translation;
pub mod views;
mod wakes;
