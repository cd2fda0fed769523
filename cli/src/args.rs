//! The command line. `docs/cli.md` describes every verb and flag; a test compares the two.

mod ask;
mod policy;
mod rollback;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use orchestrator_engine::env_vars;

use crate::bench::BenchArgs;
use crate::commands::TraceArgs;

pub use ask::{AgentsArgs, AskArgs, CacheVerb};
pub use policy::{PolicyExplainArgs, PolicyTestArgs, PolicyVerb};
pub use rollback::RollbackArgs;

/// Runs workflows of agents: validates, decides, dispatches, retries, explains.
#[derive(Debug, Parser)]
#[command(
    name = "orchestrator",
    version,
    about,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Args {
    /// Flags every verb takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags every verb takes.
#[derive(Debug, Clone, ClapArgs)]
pub struct Global {
    /// Form of the output.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        global = true,
        help_heading = "Global options"
    )]
    pub output: Form,
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = ".orchestrator", env = env_vars::ORCHESTRATOR_DATA, global = true, help_heading = "Global options")]
    pub data: PathBuf,
    /// Talk to the server at this URL instead of using a data directory.
    #[arg(long, value_name = "URL", env = env_vars::ORCHESTRATOR_ENDPOINT, global = true, help_heading = "Global options")]
    pub endpoint: Option<String>,
    /// Bearer token for the server; 'serve' asks for it.
    #[arg(long, value_name = "TOKEN", env = env_vars::ORCHESTRATOR_TOKEN, hide_env_values = true, global = true, help_heading = "Global options")]
    pub token: Option<String>,
    /// Configuration file; default: orchestrator.yaml beside the workflow file, else in the current directory.
    #[arg(long, value_name = "FILE", env = env_vars::ORCHESTRATOR_CONFIG, global = true, help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// No colours and no moving progress bars.
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
}

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Aligned columns, for people.
    Table,
    /// The body of the HTTP API.
    Json,
    /// The same as YAML.
    Yaml,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a workflow and follow it to its end.
    Run(RunArgs),
    /// Serve the HTTP API and the web console, and run what is submitted.
    Serve(ServeArgs),
    /// Check a workflow file without running it.
    Validate(ValidateArgs),
    /// Show the tasks in order, with the decision each would get.
    Plan(PlanArgs),
    /// Start a run without following it.
    Submit(SubmitArgs),
    /// Say in words what is to be done, and run the plan it comes to.
    Ask(AskArgs),
    /// Show the agents and what they can do.
    Agents(AgentsArgs),
    /// Remembered translations and kept results of tasks.
    #[command(subcommand)]
    Cache(CacheVerb),
    /// List runs, newest first.
    List(ListArgs),
    /// Show a run, or one of its tasks.
    Get(GetArgs),
    /// Show what happened in a run.
    Events(EventsArgs),
    /// Draw where the time of a run went.
    Trace(TraceArgs),
    /// Show what the agent of a task printed.
    Logs(LogsArgs),
    /// Tell why a task ran where it did, waits, was skipped or failed.
    Explain(TaskArgs),
    /// Let a held task run.
    Approve(TaskArgs),
    /// Fail a held task.
    Reject(ReasonTaskArgs),
    /// End a run.
    Cancel(ReasonRunArgs),
    /// Decide nothing new in a run; what runs goes on.
    Pause(RunIdArgs),
    /// Go on deciding in a paused run.
    Resume(RunIdArgs),
    /// Start a failed or cancelled run again from where it failed.
    Retry(RunIdArgs),
    /// Do a task and everything downstream of it again.
    Rerun(TaskArgs),
    /// Take a run back to an earlier point: shows exactly what that does, and does it when you say so.
    Rollback(RollbackArgs),
    /// Show how a run has been taken back.
    Rollbacks(RunIdArgs),
    /// Change the priority of a run.
    Priority(PriorityArgs),
    /// Show pools, with who holds their slots and who waits.
    Pools,
    /// Show what is late, what may become late, and how long tasks take.
    Sla(SlaArgs),
    /// Show what the server has done so far.
    Stats,
    /// Ask the policy, or test it.
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Do the work of an agent.
    #[command(subcommand)]
    Agent(AgentVerb),
    /// Measure how fast this machine runs workflows, durably.
    Bench(BenchArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

/// A workflow file with what a run of it gets.
#[derive(Debug, Clone, ClapArgs)]
pub struct SubmissionArgs {
    /// Workflow file, YAML or JSON; '-' reads standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Value of an input; JSON where it is JSON, otherwise text. Repeatable.
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    pub inputs: Vec<String>,
    /// File with inputs: an object, YAML or JSON.
    #[arg(long = "inputs", value_name = "FILE")]
    pub inputs_file: Option<PathBuf>,
    /// Fact about the run for the policy, as in urgent=true. Repeatable.
    #[arg(short, long = "metadata", value_name = "NAME=VALUE")]
    pub metadata: Vec<String>,
    /// On whose behalf.
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// Priority of the run, 1 to 10, 10 most urgent.
    #[arg(long, value_name = "1-10")]
    pub priority: Option<u8>,
}

/// `run`.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// What to run.
    #[command(flatten)]
    pub submission: SubmissionArgs,
    /// Do every task, even if its result is kept; the new results are kept instead.
    #[arg(long)]
    pub no_cache: bool,
    /// Print nothing but the result.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `serve`.
#[derive(Debug, ClapArgs)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one. Anything but the loopback interface wants a token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: std::net::SocketAddr,
    /// File with clients and their tokens, for servers that several teams use.
    #[arg(long, value_name = "FILE")]
    pub clients: Option<PathBuf>,
}

/// `validate`.
#[derive(Debug, ClapArgs)]
pub struct ValidateArgs {
    /// Workflow files, YAML or JSON.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// `plan`.
#[derive(Debug, ClapArgs)]
pub struct PlanArgs {
    /// What to plan.
    #[command(flatten)]
    pub submission: SubmissionArgs,
}

/// `submit`.
#[derive(Debug, ClapArgs)]
pub struct SubmitArgs {
    /// What to submit.
    #[command(flatten)]
    pub submission: SubmissionArgs,
    /// The same key and the same file start one run, however often they are sent.
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Do every task, even if its result is kept; the new results are kept instead.
    #[arg(long)]
    pub no_cache: bool,
    /// Follow the run to its end, as 'run' does.
    #[arg(short, long)]
    pub follow: bool,
}

/// `list`.
#[derive(Debug, ClapArgs)]
pub struct ListArgs {
    /// Only runs in this state; repeatable.
    #[arg(short, long, value_name = "STATUS")]
    pub status: Vec<String>,
    /// Only runs of this client.
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// Only runs of this workflow.
    #[arg(short, long, value_name = "NAME")]
    pub workflow: Option<String>,
    /// At most so many.
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
    /// Go on where the page before ended.
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// `get`.
#[derive(Debug, ClapArgs)]
pub struct GetArgs {
    /// The run; the last letters of its id are enough when they are unique among the newest 100.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Show this task with its parameters, attempts and output.
    #[arg(value_name = "TASK")]
    pub task: Option<String>,
    /// Show the items of for_each tasks too.
    #[arg(long)]
    pub items: bool,
}

/// `events`.
#[derive(Debug, ClapArgs)]
pub struct EventsArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Go on as events come, until the run ends.
    #[arg(short, long)]
    pub follow: bool,
    /// Only events of appends after this one.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub after: u64,
}

/// `logs`.
#[derive(Debug, ClapArgs)]
pub struct LogsArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The task, as in `train` or `train[3]`.
    #[arg(value_name = "TASK")]
    pub task: String,
    /// The attempt; default: the last.
    #[arg(short, long, value_name = "N")]
    pub attempt: Option<u32>,
    /// The epoch; default: the current one.
    #[arg(long, value_name = "N")]
    pub epoch: Option<u32>,
    /// At most so many bytes from the end of each stream.
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    pub bytes: u64,
}

/// A run.
#[derive(Debug, ClapArgs)]
pub struct RunIdArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: String,
}

/// A run and a reason.
#[derive(Debug, ClapArgs)]
pub struct ReasonRunArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Why; kept in the history of the run.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// A task.
#[derive(Debug, ClapArgs)]
pub struct TaskArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The task, as in `train` or `train[3]`.
    #[arg(value_name = "TASK")]
    pub task: String,
}

/// A task and a reason.
#[derive(Debug, ClapArgs)]
pub struct ReasonTaskArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The task, as in `train` or `train[3]`.
    #[arg(value_name = "TASK")]
    pub task: String,
    /// Why; kept in the history of the run.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `priority`.
#[derive(Debug, ClapArgs)]
pub struct PriorityArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// 1 to 10, 10 most urgent.
    #[arg(value_name = "PRIORITY")]
    pub priority: u8,
}

/// `sla`.
#[derive(Debug, ClapArgs)]
pub struct SlaArgs {
    /// Recent ones to show, 1 to 500.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
}

/// `agent`.
#[derive(Debug, Subcommand)]
pub enum AgentVerb {
    /// Run a command as the agent of one attempt and report over HTTP. The envelope comes from the file that
    /// $ORCHESTRATOR_ENVELOPE names, or from standard input; --endpoint says where to report.
    Exec(AgentExecArgs),
}

/// `agent exec`.
#[derive(Debug, ClapArgs)]
pub struct AgentExecArgs {
    /// The command and its arguments, after '--'.
    #[arg(value_name = "CMD", required = true, last = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// `completions`.
#[derive(Debug, ClapArgs)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
