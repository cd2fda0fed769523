//! What an orchestrator is started with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use orchestrator_core::policy::Policy;
use orchestrator_core::sla::SlaSpec;
use orchestrator_engine::settings::{Agent, AttemptLimits};
use orchestrator_engine::trace::Export;

use crate::webhook::Webhook;

/// What an orchestrator is started with.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// The data directory; created if need be.
    pub data_dir: PathBuf,
    /// Working directory of agents: where the configuration file is.
    pub base_dir: PathBuf,
    /// The policy in force; it also says how large the pools are.
    pub policy: Arc<Policy>,
    /// Agents by name.
    pub agents: BTreeMap<String, Agent>,
    /// Bounds on what attempts may use.
    pub limits: AttemptLimits,
    /// Where commands without a path are looked up: the `PATH` of this process.
    pub path: Option<OsString>,
    /// Runs a client may have at a time.
    pub runs_per_client: Option<u32>,
    /// Whether agents are started. Without, commands are carried out and everything else waits for the next owner.
    pub dispatches: bool,
    /// Which unfinished runs go on.
    pub takes_up: TakesUp,
    /// One point of priority outweighs this much waiting for a pool, milliseconds.
    pub ageing_ms: u64,
    /// How traces are exported; `None`: they are not.
    pub export: Option<Export>,
    /// Deadlines of runs that are submitted from now on, where their documents say nothing.
    pub sla: SlaSpec,
    /// Where alerts are sent.
    pub webhook: Option<Webhook>,
    /// How long results of tasks that may be reused are kept, milliseconds.
    pub results_kept_ms: u64,
}

/// Which of the unfinished runs in the data directory go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesUp {
    /// Those whose agents exist here, by name.
    KnownAgents,
    /// Those that began with the very agents there are here.
    SameAgents,
}

impl StartOptions {
    /// Usual settings, without agents but the builtin ones.
    pub fn new(data_dir: impl Into<PathBuf>, policy: Arc<Policy>) -> StartOptions {
        StartOptions {
            data_dir: data_dir.into(),
            base_dir: PathBuf::from("."),
            policy,
            agents: BTreeMap::new(),
            limits: AttemptLimits::default(),
            path: std::env::var_os("PATH"),
            runs_per_client: None,
            dispatches: true,
            takes_up: TakesUp::KnownAgents,
            ageing_ms: 60_000,
            export: None,
            sla: SlaSpec::default(),
            webhook: None,
            results_kept_ms: 86_400_000,
        }
    }
}
