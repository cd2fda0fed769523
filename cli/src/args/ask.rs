//! `ask`, `agents` and `cache`.

use clap::{Args as ClapArgs, Subcommand};

/// `ask`.
#[derive(Debug, ClapArgs)]
pub struct AskArgs {
    /// What is to be done, in words.
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// Value of an input; JSON where it is JSON, otherwise text. Repeatable.
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    pub inputs: Vec<String>,
    /// Fact about the run for the policy, as in urgent=true. Repeatable.
    #[arg(short, long = "metadata", value_name = "NAME=VALUE")]
    pub metadata: Vec<String>,
    /// On whose behalf.
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// Priority of the run, 1 to 10, 10 most urgent.
    #[arg(long, value_name = "1-10")]
    pub priority: Option<u8>,
    /// Only show what it would come to.
    #[arg(long)]
    pub plan: bool,
    /// Run it without asking.
    #[arg(short, long, conflicts_with = "plan")]
    pub yes: bool,
    /// Run exactly the plan with this token, without asking.
    #[arg(long, value_name = "TOKEN", conflicts_with = "plan")]
    pub plan_token: Option<String>,
    /// Do not take a remembered translation, nor kept results of tasks.
    #[arg(long)]
    pub no_cache: bool,
}

/// `agents`.
#[derive(Debug, ClapArgs)]
pub struct AgentsArgs {
    /// Show this agent with the parameters of its actions.
    #[arg(value_name = "AGENT")]
    pub agent: Option<String>,
}

/// `cache`.
#[derive(Debug, Subcommand)]
pub enum CacheVerb {
    /// Show what is remembered and kept, was looked up and saved.
    Stats,
    /// Forget every remembered translation and every kept result of a task.
    Clear,
}
