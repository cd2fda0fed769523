//! `completions`: what a shell needs to complete our command lines.

use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Prints the script.
pub fn run(args: &CompletionsArgs, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "orchestrator", &mut script);
    output.print(&String::from_utf8_lossy(&script));
    Ok(Exit::Success)
}
