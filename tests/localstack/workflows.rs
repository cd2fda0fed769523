//! Workflows of the tests, for the agent `writer`.

use std::fmt::Write;

/// A task, one beside another that both depend on it, and one that depends on both.
pub const DIAMOND: &str = "\
name: diamond
tasks:
  - {id: first, agent: writer, action: write}
  - {id: left, agent: writer, action: write, depends_on: [first]}
  - {id: right, agent: writer, action: write, depends_on: [first]}
  - {id: last, agent: writer, action: write, depends_on: [left, right]}
";

/// So many tasks beside one another; `more` is added to each.
pub fn wide(count: usize, more: &str) -> String {
    let mut workflow = "name: wide\ntasks:\n".to_owned();
    for index in 0..count {
        writeln!(
            workflow,
            "  - {{id: t{index}, agent: writer, action: write{more}}}"
        )
        .expect("texts can be written to");
    }
    workflow
}
