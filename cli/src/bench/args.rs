//! Arguments of `orchestrator bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Measures how fast this machine runs workflows, durably, on a fresh data directory.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// What to run.
    pub workload: Workload,
    /// Tasks of `scale` (up to 100000) or `process`.
    #[arg(long)]
    pub tasks: Option<u32>,
    /// Concurrent runs of `diamond`.
    #[arg(long, default_value_t = 200)]
    pub runs: u32,
    /// Tasks of `process` at a time.
    #[arg(long, default_value_t = 8)]
    pub parallel: u32,
    /// Tasks of `sweep` with a deadline that is far away; the largest size.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub active: u32,
    /// Tasks of `sweep` that miss their deadline.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub overdue: u32,
    /// How runs are submitted and watched.
    #[arg(long, value_enum, default_value = "process")]
    pub over: Over,
    /// Who does the tasks; `http` needs `--over http`.
    #[arg(long, value_enum, default_value = "builtin")]
    pub agent: AgentChoice,
    /// Directory on the disk to measure; the data directory is made inside it and removed afterwards.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Measure what traces cost: without, with, and with nobody listening, in turns.
    #[arg(long)]
    pub traces: bool,
    /// Print one JSON line.
    #[arg(long)]
    pub json: bool,
}

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// 100 tasks, one after the other.
    Chain,
    /// 1 task, then 500, then 1.
    Fanout,
    /// 200 concurrent runs of 1-4-4-1 tasks.
    Diamond,
    /// 200 tasks that each start `/bin/true`; `xargs -P2` does the same beside it.
    Process,
    /// One wide and deep DAG.
    Scale,
    /// Missed deadlines among many that are not: one line for 10000, 100000, ... active tasks.
    Sweep,
}

/// How runs are submitted and watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Over {
    /// By calls within this process.
    Process,
    /// Through the HTTP API of a server started for it.
    Http,
}

/// Who does the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AgentChoice {
    /// The orchestrator itself: tasks that do nothing.
    Builtin,
    /// This process, over HTTP: an agent that does nothing.
    Http,
}
