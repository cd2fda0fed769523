//! Tests of the DSL as a whole.

mod accepted;
mod documentation;
mod generated;
mod nonsense;
mod problems;
mod references;

use super::{Limits, Parsed, parse};

fn parse_text(text: &str) -> Parsed {
    parse(text.as_bytes(), &Limits::api())
}

/// Errors, then warnings, as they are shown.
fn rendered(parsed: &Parsed) -> Vec<String> {
    let errors = parsed.workflow.as_ref().err().into_iter().flatten();
    errors
        .chain(&parsed.warnings)
        .map(|problem| problem.in_file("w.yaml").to_string())
        .collect()
}

/// A workflow with this list of tasks.
fn tasks(tasks: &str) -> String {
    format!("name: w\ninputs: {{rows: 10, deep: {{x: 1}}}}\ntasks:\n{tasks}")
}

/// A workflow with one task that has this additional key.
fn task(key: &str) -> String {
    tasks(&format!("- id: a\n  agent: noop\n  action: run\n  {key}\n"))
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let parsed = parse_text(text);
    assert_eq!(rendered(&parsed), expected, "{text}");
}
