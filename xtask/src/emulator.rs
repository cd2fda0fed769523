//! The emulator of AWS that the tests use: see `infra/localstack/emulator/__init__.py`.

use std::ffi::OsStr;

use emulator::{Emulator, PACKAGES};

use crate::counts::{Counts, of_unittest};
use crate::report::{Report, Step};
use crate::run::{cargo, in_foreground, or_complain, program, quietly, root};
use crate::verbs;

/// `cargo xtask emulator`.
pub fn verb(options: &[&str]) -> Result<bool, String> {
    match options {
        [] => Ok(or_complain(serve())),
        ["--install"] => Ok(or_complain(PACKAGES.install().map(drop))),
        ["--self-test"] => {
            let mut report = Report::default();
            Ok(report.step("emulator", self_test))
        }
        [option, ..] => Err(format!("unexpected '{option}'")),
    }
}

/// Installs the emulator, if it is not there in the pinned version: the step before tests that start one.
pub fn install() -> Step {
    match PACKAGES.install() {
        Ok(_) => Step {
            counts: Counts::one(true),
            note: String::new(),
            output: String::new(),
        },
        Err(problem) => Step::failed(problem),
    }
}

/// Tests the stand-ins that are our own.
pub fn self_test() -> Step {
    let installed = install();
    if installed.counts.failed > 0 {
        return installed;
    }
    let python = match PACKAGES.python() {
        Ok(python) => python,
        Err(problem) => return Step::failed(problem),
    };
    unittest(&python, "infra/localstack", &[])
}

/// Runs the tests of Python in a folder of the repository, with further options for the discovery.
pub fn unittest(python: impl AsRef<OsStr>, folder: &str, options: &[&str]) -> Step {
    let mut command = program(python);
    command
        .args(["-m", "unittest", "discover"])
        .args(options)
        .current_dir(root().join(folder));
    let outcome = quietly(&mut command);
    let mut counts = of_unittest(&outcome.output);
    if !outcome.success && counts.failed == 0 {
        counts.failed = 1;
    }
    Step {
        counts,
        note: format!("{} tests", counts.passed),
        output: outcome.output,
    }
}

/// `cargo xtask cost`.
pub fn cost(options: &[&str]) -> Result<bool, String> {
    let [tasks_max] = verbs::values(options, ["--max-tasks"])?;
    Ok(or_complain(print_costs(tasks_max)))
}

fn print_costs(tasks_max: Option<&str>) -> Result<(), String> {
    PACKAGES.install()?;
    let mut command = cargo([
        "run",
        "--quiet",
        "--package",
        "orchestrator-aws",
        "--example",
        "cost",
        "--",
    ]);
    command.args(tasks_max);
    match in_foreground(&mut command) {
        true => Ok(()),
        false => Err("the costs could not be counted; what went wrong is above".to_owned()),
    }
}

fn serve() -> Result<(), String> {
    PACKAGES.install()?;
    let emulator = Emulator::start_here(&[])?;
    println!("AWS_ENDPOINT_URL={}", emulator.endpoint());
    // Ctrl-C ends this process; the emulator notices that by itself.
    emulator.wait();
    Err("the emulator ended".to_owned())
}
