//! `cargo xtask test`: everything that has to hold before a change is published.
//!
//! All programs are built in one profile with one set of features (`--workspace --all-targets`), so nothing is
//! compiled twice; only clippy and rustdoc need passes of their own.

use ::emulator::Emulator;

use crate::counts::{Counts, of_cargo_test, of_nextest};
use crate::report::{Report, Step};
use crate::run::{built, cargo, is_there, program, quietly};
use crate::{console, emulator, examples, infra, licences, verbs};

/// Seeds the simulator plays in each run of the tests.
const SEEDS: &str = "2000";

/// Broken links are errors. Our readers see private items, so links to them are fine.
const DOC_FLAGS: &str = "-D warnings -A rustdoc::private_intra_doc_links";

/// Runs everything. Returns whether all of it passed.
pub fn test() -> bool {
    let mut report = Report::default();
    style(&mut report);
    let built = report.step("build", || {
        Step::check(quietly(&mut cargo([
            "build",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
        ])))
    });
    if built {
        report.step("emulator", emulator::self_test);
        report.step("tests", tests);
        report.step("documentation tests", documentation_tests);
        report.step("simulator", simulator);
        report.step("examples", examples::run);
        report.step("inclusion by CDK", infra::cdk);
        report.step("console", console::test);
    }
    report.finish()
}

/// Runs what looks at the sources only. Returns whether all of it passed.
pub fn lint() -> bool {
    let mut report = Report::default();
    style(&mut report);
    report.finish()
}

fn style(report: &mut Report) {
    report.step("format", || {
        let mut step = Step::check(quietly(&mut cargo(["fmt", "--all", "--check", "--", "-l"])));
        step.output.insert_str(0, "`cargo fmt --all` would change:\n");
        step
    });
    report.step("lints", || {
        let arguments = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ];
        Step::check(quietly(&mut cargo(arguments)))
    });
    report.step("documentation", || {
        let arguments = [
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--locked",
            "--quiet",
        ];
        Step::check(quietly(cargo(arguments).env("RUSTDOCFLAGS", DOC_FLAGS)))
    });
    report.step("licences, sources", licences::check);
    report.step("infrastructure", infra::lint);
}

fn tests() -> Step {
    // One for all tests, each of which has an account of its own in it; or whatever the environment names.
    let aws = match Emulator::start() {
        Ok(aws) => aws,
        Err(problem) => return Step::failed(problem),
    };
    let nextest = is_there(&mut cargo(["nextest", "--version"]));
    let mut command = if nextest {
        let quiet = [
            "--no-fail-fast",
            "--status-level",
            "fail",
            "--final-status-level",
            "slow",
        ];
        let mut command = cargo(["nextest", "run", "--workspace", "--locked", "--cargo-quiet"]);
        command.args(quiet);
        command
    } else {
        cargo([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--locked",
            "--quiet",
            "--no-fail-fast",
        ])
    };
    command
        .env(verbs::BINARY, built().join("orchestrator"))
        .env("AWS_ENDPOINT_URL", aws.endpoint());
    let outcome = quietly(&mut command);
    let counts = if nextest {
        of_nextest(&outcome.output)
    } else {
        of_cargo_test(&outcome.output)
    };
    counted(counts, outcome.success, outcome.output, "tests")
}

fn documentation_tests() -> Step {
    let outcome = quietly(&mut cargo([
        "test",
        "--workspace",
        "--doc",
        "--locked",
        "--quiet",
        "--no-fail-fast",
    ]));
    counted(
        of_cargo_test(&outcome.output),
        outcome.success,
        outcome.output,
        "examples in documentation",
    )
}

fn simulator() -> Step {
    let outcome = quietly(program(built().join("simulate")).args(["--seeds", SEEDS]));
    let mut step = Step::check(outcome);
    step.note = format!("{SEEDS} seeds");
    step
}

/// A run whose exit status disagrees with what was counted has failed, whatever was counted.
fn counted(mut counts: Counts, success: bool, output: String, noun: &str) -> Step {
    if !success && counts.failed == 0 {
        counts.failed = 1;
    }
    Step {
        counts,
        note: format!("{} {noun}", counts.passed),
        output,
    }
}
