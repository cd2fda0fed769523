//! Reads YAML or JSON into types of our own, for configuration files and policy cases: the same text rules and limits as
//! for workflows, and errors that know their line, their key and, for a misspelt key, what was probably meant.

mod deserializer;
mod error;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::document::{self, Content, Entry, Fault, Lines, Node};
use super::limits::Limits;
use super::problem::{Code, Location, at_place, write_with_remedy};

/// What is wrong with a file that is not a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable, as in `config.unknown-key`.
    pub code: String,
    /// The key concerned, as in `decision.rules[2].when`; empty for the file as a whole.
    pub path: String,
    /// Where in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What is wrong.
    pub message: String,
    /// How to put it right; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Problem {
    /// The problem as one line, `file:line:col: code: key: message (remedy)`.
    pub fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        at_place(file, self.location, self)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write_with_remedy(f, &self.message, &self.remedy)
    }
}

impl std::error::Error for Problem {}

/// Reads `text` as a `T`. A text without content counts as an empty object.
///
/// # Errors
/// With every fault of the text, or with the first value that does not fit `T`.
pub fn read<T: DeserializeOwned>(text: &str, limits: &Limits) -> Result<T, Vec<Problem>> {
    let lines = Lines::of(text);
    let (tree, faults) = document::read(text, limits);
    let faults: Vec<&Fault> = faults.iter().filter(|fault| fault.code != Code::Empty).collect();
    if !faults.is_empty() {
        return Err(faults.into_iter().map(|fault| of_fault(fault, &lines)).collect());
    }
    let tree = tree.unwrap_or(Node {
        at: 0,
        content: Content::Object(Vec::new()),
    });
    T::deserialize(&tree).map_err(|error| vec![error.into_problem(&lines)])
}

/// Where in `text` the value at `path` (as in `rules[2].when`) stands; the nearest enclosing value when it is absent.
pub fn locate(text: &str, limits: &Limits, path: &str) -> Option<Location> {
    let (tree, _) = document::read(text, limits);
    let tree = tree?;
    let mut node = &tree;
    let mut at = tree.at;
    let mut rest = path;
    while let Some((inner, inner_at, tail)) = step(node, rest) {
        (node, at, rest) = (inner, inner_at, tail);
    }
    Some(Lines::of(text).locate(at))
}

/// One step along `path`: the value, where to point (at a key rather than at its value), and what is left of the path.
fn step<'n, 'a, 'p>(node: &'n Node<'a>, path: &'p str) -> Option<(&'n Node<'a>, u32, &'p str)> {
    let path = path.strip_prefix('.').unwrap_or(path);
    match &node.content {
        Content::Object(entries) => {
            let named = |entry: &&Entry<'a>| {
                let tail = path.strip_prefix(entry.key.as_ref());
                !path.is_empty() && tail.is_some_and(|tail| tail.is_empty() || tail.starts_with(['.', '[']))
            };
            let entry = entries.iter().filter(named).max_by_key(|entry| entry.key.len())?;
            Some((&entry.value, entry.key_at, &path[entry.key.len()..]))
        }
        Content::List(items) => {
            let (index, tail) = path.strip_prefix('[')?.split_once(']')?;
            let item = items.get(index.parse::<usize>().ok()?)?;
            Some((item, item.at, tail))
        }
        _ => None,
    }
}

fn of_fault(fault: &Fault, lines: &Lines<'_>) -> Problem {
    let code = fault.code.as_str();
    Problem {
        code: format!("config.{}", code.strip_prefix("dsl.").unwrap_or(code)),
        path: String::new(),
        location: Some(lines.locate(fault.at)),
        message: fault.message.clone(),
        remedy: fault.remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests;
