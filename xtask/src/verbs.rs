//! The verbs besides `test` and `lint`, and their options.

use std::path::{Path, PathBuf};

use emulator::PACKAGES;

use crate::report::Report;
use crate::run::{cargo, in_foreground, or_complain, target};

/// Tells the tests which `orchestrator` to start, so that they do not build it themselves.
pub const BINARY: &str = "ORCHESTRATOR_TEST_BINARY";

/// Refuses options.
pub fn no_options(options: &[&str]) -> Result<(), String> {
    match options.first() {
        None => Ok(()),
        Some(option) => Err(format!("unexpected '{option}'")),
    }
}

/// `simulate`: in the release profile, because a hundred thousand seeds are worth the wait for the compiler.
pub fn simulate(options: &[&str]) -> Result<bool, String> {
    let values = values(options, ["--seeds", "--start"])?;
    let mut command = cargo([
        "run",
        "--release",
        "--quiet",
        "--package",
        "orchestrator-testkit",
        "--bin",
        "simulate",
        "--",
    ]);
    for (name, value) in ["--seeds", "--start"].into_iter().zip(values) {
        if let Some(value) = value {
            command.args([name, value]);
        }
    }
    Ok(in_foreground(&mut command))
}

/// `crash`: the test of the default suite, with other numbers and the optimised program.
pub fn crash(options: &[&str]) -> Result<bool, String> {
    let [kills, seed] = values(options, ["--kills", "--seed"])?;
    let settings = [
        ("ORCHESTRATOR_TEST_KILLS", kills),
        ("ORCHESTRATOR_TEST_SEED", seed),
    ];
    Ok(optimised_program().is_some_and(|binary| one_test("crash", &binary, settings)))
}

/// `dags`: the test of the default suite, with other numbers or files and the optimised program.
pub fn dags(options: &[&str]) -> Result<bool, String> {
    let [max_tasks, from] = values(options, ["--max-tasks", "--from"])?;
    let settings = [
        ("ORCHESTRATOR_TEST_MAX_TASKS", max_tasks),
        ("ORCHESTRATOR_TEST_WFFORMAT_DIR", from),
    ];
    Ok(optimised_program().is_some_and(|binary| one_test("scientific_dags", &binary, settings)))
}

/// `faults`: the test of the default suite, with other numbers.
pub fn faults(options: &[&str]) -> Result<bool, String> {
    let [runs] = values(options, ["--runs"])?;
    let mut command = cargo(["test", "--quiet", "--workspace", "--test", "localstack", "--"]);
    command.args(["storm", "--nocapture"]);
    if let Some(runs) = runs {
        command.env("ORCHESTRATOR_TEST_RUNS", runs);
    }
    Ok(or_complain(PACKAGES.install().map(drop)) && in_foreground(&mut command))
}

/// `examples`.
pub fn examples() -> bool {
    let build = ["build", "--quiet", "--workspace", "--all-targets"];
    let mut report = Report::default();
    in_foreground(&mut cargo(build)) && report.step("examples", crate::examples::run)
}

/// `schema`: the test that compares the published schemas with the code also writes them.
pub fn schema(options: &[&str]) -> Result<bool, String> {
    let write = match options {
        [] => Some("1"),
        ["--check"] => None,
        [option, ..] => return Err(format!("unexpected '{option}'")),
    };
    Ok(one_test(
        "published",
        Path::new(""),
        [("ORCHESTRATOR_TEST_WRITE_SCHEMAS", write)],
    ))
}

/// Builds the program as users have it.
fn optimised_program() -> Option<PathBuf> {
    let built = in_foreground(&mut cargo([
        "build",
        "--release",
        "--quiet",
        "--bin",
        "orchestrator",
    ]));
    built.then(|| target().join("release").join("orchestrator"))
}

/// Runs one test program of the package `tests` with this `orchestrator` and shows all it prints.
fn one_test<const N: usize>(name: &str, binary: &Path, settings: [(&str, Option<&str>); N]) -> bool {
    let mut command = cargo([
        "test",
        "--quiet",
        "--workspace",
        "--test",
        name,
        "--",
        "--nocapture",
    ]);
    command.env(BINARY, binary);
    for (variable, value) in settings {
        if let Some(value) = value {
            command.env(variable, value);
        }
    }
    in_foreground(&mut command)
}

/// The values of `--name value` options, in the order of the names.
pub fn values<'a, const N: usize>(
    options: &[&'a str],
    names: [&str; N],
) -> Result<[Option<&'a str>; N], String> {
    let mut values = [None; N];
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        let Some(at) = names.iter().position(|name| name == option) else {
            return Err(format!("unexpected '{option}'"));
        };
        match rest.next() {
            Some(value) => values[at] = Some(*value),
            None => return Err(format!("'{option}' needs a value")),
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::values;

    #[test]
    fn options_may_come_in_any_order_and_unknown_ones_are_refused() {
        let names = ["--seeds", "--start"];
        assert_eq!(
            values(&["--start", "7", "--seeds", "9"], names),
            Ok([Some("9"), Some("7")])
        );
        assert_eq!(values(&[], names), Ok([None, None]));
        assert_eq!(
            values(&["--sedes", "9"], names),
            Err("unexpected '--sedes'".to_owned())
        );
        assert_eq!(
            values(&["--seeds"], names),
            Err("'--seeds' needs a value".to_owned())
        );
    }
}
