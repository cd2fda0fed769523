//! The examples of the DSL reference do what it says.

use super::*;
use crate::workflow::Code;

const REFERENCE: &str = include_str!("../../../../../docs/dsl.md");

#[test]
fn the_examples_of_the_reference_are_valid() {
    let blocks: Vec<&str> = REFERENCE.split("```yaml workflow\n").skip(1).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        let (example, _) = block.split_once("```").unwrap();
        assert_eq!(rendered(&parse_text(example)), [""; 0], "{example}");
    }
}

#[test]
fn the_reference_lists_every_code_and_no_other() {
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let listed = REFERENCE
        .lines()
        .filter_map(|line| line.strip_prefix("| `dsl.")?.split_once('`'));
    let listed: Vec<String> = listed.map(|(code, _)| format!("dsl.{code}")).collect();
    assert_eq!(listed, known);
}

#[test]
fn the_reference_lists_every_key() {
    let schema = crate::workflow::json_schema();
    for kind in ["Workflow", "Task"] {
        for key in schema["$defs"][kind]["properties"].as_object().unwrap().keys() {
            assert!(REFERENCE.contains(&format!("| `{key}` |")), "{kind}.{key}");
        }
    }
}
