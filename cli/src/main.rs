//! The `orchestrator` command: reads the command line, hands over to one of [`commands`], ends with a documented exit code.

mod args;
mod bench;
mod client;
mod commands;
mod config;
mod exit;
mod follow;
mod host;
mod log;
mod output;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use tracing::Level;

use crate::args::{Args, Verb};
use crate::exit::Exit;

/// A sixth less time per task than with the system's, most of all where one thread frees what another made.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and the version are answers, everything else is wrong usage. A closed pipe is nobody's error.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Success.into()
            };
        }
    };
    log::start(match args.verb {
        // It misses a thousand deadlines on purpose.
        Verb::Bench(_) => Level::ERROR,
        _ => Level::WARN,
    });
    let output = output::Output::new(args.global.output, args.global.no_color);
    match commands::run(args, &output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}
