//! Tests of the DSL as a whole.

mod accepted;
mod documentation;
mod generated;
mod nonsense;
mod problems;

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
