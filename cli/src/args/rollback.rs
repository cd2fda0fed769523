//! `rollback`.

use clap::{ArgGroup, Args as ClapArgs};

/// `rollback`.
#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("target").required(true))]
pub struct RollbackArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Take back the last N tasks that succeeded, and everything downstream of them.
    #[arg(long, value_name = "N", group = "target")]
    pub steps: Option<u32>,
    /// Take back this task, and everything downstream of it.
    #[arg(long, value_name = "TASK", group = "target")]
    pub to_task: Option<String>,
    /// Take back this task, and everything downstream of it; repeatable.
    #[arg(long = "task", value_name = "TASK", group = "target")]
    pub tasks: Vec<String>,
    /// Why; kept in the history of the run. Needed unless it is a preview.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Show what it would do, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do exactly what the preview with this token showed, without asking, or nothing.
    #[arg(long, value_name = "TOKEN", conflicts_with = "dry_run")]
    pub plan_token: Option<String>,
    /// Start the tasks without their checkpoints.
    #[arg(long)]
    pub fresh: bool,
    /// Do not ask before doing it.
    #[arg(short, long)]
    pub yes: bool,
    /// Go on with the run and follow it to its end, as 'run' does.
    #[arg(short, long, conflicts_with = "dry_run")]
    pub follow: bool,
}
