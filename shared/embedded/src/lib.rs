//! The embedded host: the whole orchestrator in one process, with one directory for its data.
//!
//! State is in SQLite ([`sqlite`]), messages and timers are in memory ([`host`]), agents are commands, HTTP services and
//! builtins of this machine ([`agents`]). [`Orchestrator`] owns a data directory and runs the engine on a thread of its own;
//! [`Reader`] reads beside it, or without it. The rules are the engine's and the core's: nothing here decides anything about
//! a run.
//!
//! Reading order: [`Orchestrator`], [`host`], [`sqlite`], [`agents`], [`checkpoints`], [`Reader`], [`DataDir`].

pub mod agents;
mod backend;
pub mod checkpoints;
mod clock;
#[cfg(test)]
mod contracts;
mod data_dir;
pub mod exporter;
pub mod host;
pub mod http;
mod options;
mod orchestrator;
mod parts;
mod rate_limits;
mod reader;
pub mod sqlite;
mod store;
pub mod translation;
mod webhook;
mod workers;

pub use backend::{Changes, HostBackend, ReadOnlyBackend};
pub use clock::SystemClock;
pub use data_dir::{DataDir, DataDirError, Owner, Ownership};
pub use exporter::{Exported, Exporter};
pub use host::{Change, PoolView, Recovered, Stats};
pub use options::{StartOptions, TakesUp};
pub use orchestrator::{Orchestrator, StartError};
pub use reader::Reader;
pub use webhook::Webhook;
