//! Agents on this machine: commands, HTTP services, and three builtin ones.
//!
//! The engine's thread hands attempts to [`LocalCompute`]; whatever takes time happens on threads of a pool, one per
//! command or request, and comes back as a message through the host's inbox.
//!
//! ```text
//! DATA/runs/RUN/files/                              ORCHESTRATOR_RUN_DIR: shared by all tasks of the run
//! DATA/runs/RUN/tasks/TASK/EPOCH-ATTEMPT.*          envelope.json, output.json, log.txt
//! DATA/runs/RUN/tasks/TASK/EPOCH-ATTEMPT.checkpoint-NODE/   ORCHESTRATOR_CHECKPOINT_DIR, see [`crate::checkpoints`]
//! DATA/runs/RUN/tasks/TASK/saved/                   checkpoints that were taken
//! ```
//!
//! Reading order: `compute`, `command` (with `program`, `process`, `checkpoints`, `log`, `output`), `http`, `orphans`, [`files`].

mod checkpoints;
mod command;
pub(crate) mod compute;
pub mod files;
mod http;
mod log;
mod orphans;
pub mod output;
pub mod process;
mod program;
mod version;

pub(crate) use compute::LocalCompute;
pub(crate) use orphans::kill_orphans;
