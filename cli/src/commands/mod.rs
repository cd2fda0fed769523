//! The verbs, one file each. A verb sends requests and prints answers; [`crate::client`] knows where they go.

mod agent_exec;
mod agents;
mod ask;
mod bench;
mod cache;
mod completions;
mod events;
mod explain;
mod get;
mod list;
mod logs;
mod operate;
mod plan;
mod policy_explain;
mod policy_test;
mod pools;
mod rollback;
mod rollbacks;
mod run;
mod serve;
mod sla;
mod stats;
mod submission;
mod submit;
mod trace;
mod validate;

pub use submission::Submission;
pub use trace::TraceArgs;

use crate::args::{AgentVerb, Args, PolicyVerb, Verb};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Carries out a command line.
pub fn run(args: Args, output: &Output) -> Result<Exit, Failure> {
    let Args { global, verb } = args;
    match verb {
        Verb::Run(args) => run::run(&global, &args, output),
        Verb::Serve(args) => serve::run(&global, &args, output),
        Verb::Validate(args) => validate::run(&global, &args, output),
        Verb::Plan(args) => plan::run(&global, &args, output),
        Verb::Submit(args) => submit::run(&global, &args, output),
        Verb::Ask(args) => ask::run(&global, &args, output),
        Verb::Agents(args) => agents::run(&global, &args, output),
        Verb::Cache(verb) => cache::run(&global, &verb, output),
        Verb::List(args) => list::run(&global, &args, output),
        Verb::Get(args) => get::run(&global, &args, output),
        Verb::Events(args) => events::run(&global, &args, output),
        Verb::Trace(args) => trace::run(&global, &args, output),
        Verb::Logs(args) => logs::run(&global, &args, output),
        Verb::Explain(args) => explain::run(&global, &args, output),
        Verb::Approve(args) => operate::on_task(&global, &args, "approve", output),
        Verb::Rerun(args) => operate::on_task(&global, &args, "rerun", output),
        Verb::Reject(args) => operate::reject(&global, &args, output),
        Verb::Cancel(args) => operate::cancel(&global, &args, output),
        Verb::Pause(args) => operate::on_run(&global, &args, "pause", output),
        Verb::Resume(args) => operate::on_run(&global, &args, "resume", output),
        Verb::Retry(args) => operate::on_run(&global, &args, "retry", output),
        Verb::Rollback(args) => rollback::run(&global, &args, output),
        Verb::Rollbacks(args) => rollbacks::run(&global, &args, output),
        Verb::Priority(args) => operate::priority(&global, &args, output),
        Verb::Pools => pools::run(&global, output),
        Verb::Sla(args) => sla::run(&global, &args, output),
        Verb::Stats => stats::run(&global, output),
        Verb::Policy(PolicyVerb::Explain(args)) => policy_explain::run(&global, &args, output),
        Verb::Policy(PolicyVerb::Test(args)) => policy_test::run(&global, &args, output),
        Verb::Agent(AgentVerb::Exec(args)) => agent_exec::run(&global, &args, output),
        Verb::Bench(args) => bench::run(&args, output),
        Verb::Completions(args) => completions::run(&args, output),
    }
}
