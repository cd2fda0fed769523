//! Automation of this repository: `cargo xtask test` and friends. See `cargo xtask --help`.
//!
//! It has no dependencies outside the repository, so that it is there at once. What needs the crates of the workspace (the simulator, the
//! crash test, the published schemas) lives in a test or program there, and is only started from here.
//!
//! - [`run`]: starting programs, keeping what they print, measuring
//! - [`report`]: one line per step, the counts at the end
//! - [`suite`]: `cargo xtask test`
//! - [`counts`]: reads how many tests passed from what the test runners print
//! - [`licences`]: cargo-deny, installed on first use
//! - [`examples`]: the examples, end to end
//! - [`console`]: the console in a browser
//! - [`emulator`]: the emulator of AWS: installing, testing, serving
//! - [`infra`]: linters of the templates of the AWS host
//! - [`release`]: sizes and start-up of the functions
//! - [`verbs`]: the other verbs

mod console;
mod counts;
mod emulator;
mod examples;
mod infra;
mod licences;
mod release;
mod report;
mod run;
mod suite;
mod verbs;

use std::process::ExitCode;

const HELP: &str = "\
Automation of this repository.

Usage: cargo xtask VERB [OPTIONS]

  test                       everything CI checks: format, lints, licences, all tests, the simulator, the examples
  lint                       format, lints and licences only
  simulate [--seeds N] [--start S]
                             the simulator; N seeds (default 2000) from seed S on (default 0), optimised
  crash [--kills N] [--seed S]
                             kills `orchestrator serve` under load N times (default 5) at moments drawn from seed S
  dags [--max-tasks N] [--from DIR]
                             runs the shapes of published scientific workflows up to N tasks (default 2000), or the
                             WfFormat files in DIR
  examples                   runs the examples, end to end
  emulator                   starts the emulator of AWS on a free port and prints its AWS_ENDPOINT_URL; Ctrl-C ends it
  emulator --install         makes the emulator's Python environment in the target folder, for tests that start one
  emulator --self-test       tests the emulator's own code
  console                    clicks through the console in a real browser; installs one on first use
  cost [--max-tasks N]       what tasks cost on AWS, counted on the emulator; runs of up to N tasks (default 1000)
  faults [--runs N]          lets N runs (default 40) live through every fault at once on the emulator of AWS
  release                    builds the functions as they are deployed, prints sizes, time to start and memory
  infra                      lints the templates of the AWS host; installs the linters on first use
  sam [--architecture A]     builds the stack with SAM and cargo-lambda, for arm64 or x86_64 (default: as this machine)
  schema [--check]           writes the published schemas in docs/ again; with --check only says whether they differ
  help                       prints this

Exit status: 0 all is well, 1 something failed, 2 wrong usage. CONTRIBUTING.md says more.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((&verb, options)) = arguments.split_first() else {
        return usage("a verb is missing");
    };
    if matches!(verb, "help" | "-h" | "--help") || options.iter().any(|o| matches!(*o, "-h" | "--help")) {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let outcome = match verb {
        "test" => verbs::no_options(options).map(|()| suite::test()),
        "lint" => verbs::no_options(options).map(|()| suite::lint()),
        "simulate" => verbs::simulate(options),
        "crash" => verbs::crash(options),
        "dags" => verbs::dags(options),
        "examples" => verbs::no_options(options).map(|()| verbs::examples()),
        "console" => verbs::no_options(options).map(|()| console::verb()),
        "emulator" => emulator::verb(options),
        "cost" => emulator::cost(options),
        "faults" => verbs::faults(options),
        "release" => verbs::no_options(options).map(|()| run::or_complain(release::verb())),
        "sam" => infra::build(options),
        "infra" => verbs::no_options(options).map(|()| infra::verb()),
        "schema" => verbs::schema(options),
        other => Err(format!("unknown verb '{other}'")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => usage(&problem),
    }
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("error: {problem} (cargo xtask --help lists what there is)");
    ExitCode::from(2)
}
