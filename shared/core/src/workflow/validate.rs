//! From a tree to a [`Workflow`], or to the list of *all* problems of the document.
//!
//! Reading order: [`workflow`] and [`task`] read the parts with the helpers of [`fields`] and [`values`]; [`graph`]
//! checks how tasks depend on each other; [`references`] checks what they refer to.

mod fields;
mod graph;
mod nearest;
mod reachability;
mod references;
mod report;
mod sla;
mod task;
mod values;
mod workflow;

use super::definition::Workflow;
use super::document::{self, Lines};
use super::limits::Limits;
use super::problem::{Code, Problem};
use report::Report;

pub(super) use fields::Place;
pub(super) use nearest::nearest;
pub(super) use values::{NAME_CHARS_MAX, PRIORITIES};
pub(super) use workflow::is_input_declaration;

/// The outcome of [`parse`].
#[derive(Debug)]
pub struct Parsed {
    /// The workflow, or everything that is wrong with it, in document order.
    pub workflow: Result<Workflow, Vec<Problem>>,
    /// What is allowed but hardly meant, in document order.
    pub warnings: Vec<Problem>,
}

/// Parses and validates a document, YAML or JSON, in time linear in tasks + dependencies.
pub fn parse(bytes: &[u8], limits: &Limits) -> Parsed {
    let mut report = Report::new(limits.problems);
    let text = match text_of(bytes, limits, &mut report) {
        Some(text) => text,
        None => {
            return Parsed {
                workflow: Err(report.finish(None).0),
                warnings: Vec::new(),
            };
        }
    };
    let (tree, faults) = document::read(text, limits);
    for fault in faults {
        report.fault(fault);
    }
    let workflow = tree.and_then(|tree| workflow::read(&tree, limits, &mut report));
    let (problems, warnings) = report.finish(Some(text));
    match workflow {
        Some(workflow) if problems.is_empty() => Parsed {
            workflow: Ok(workflow),
            warnings,
        },
        _ => Parsed {
            workflow: Err(problems),
            warnings,
        },
    }
}

/// The text without a byte order mark.
fn text_of<'a>(bytes: &'a [u8], limits: &Limits, report: &mut Report) -> Option<&'a str> {
    let bytes_max = limits.document_bytes.min(u32::MAX as usize - 1);
    if bytes.len() > bytes_max {
        let message = format!(
            "the document has {} bytes, more than the {bytes_max} allowed",
            bytes.len()
        );
        report.error(
            None,
            Code::TooLarge,
            &Place::Root,
            message,
            "split the workflow, or raise the limit",
        );
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let place = Lines::of(&valid).locate(error.valid_up_to() as u32);
            let message = format!(
                "the document is not UTF-8 text (line {}, column {})",
                place.line, place.column
            );
            report.error(None, Code::Encoding, &Place::Root, message, "save it as UTF-8");
            None
        }
    }
}
