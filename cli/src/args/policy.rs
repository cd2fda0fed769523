//! `policy`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::SubmissionArgs;

/// `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// Show what each key and rule contributes to the decision about each task.
    Explain(PolicyExplainArgs),
    /// Run a file of given/expect cases against the policy.
    Test(PolicyTestArgs),
}

/// `policy explain`.
#[derive(Debug, ClapArgs)]
pub struct PolicyExplainArgs {
    /// What to explain.
    #[command(flatten)]
    pub submission: SubmissionArgs,
    /// Only this task.
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,
}

/// `policy test`.
#[derive(Debug, ClapArgs)]
pub struct PolicyTestArgs {
    /// Files of cases, YAML or JSON.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}
