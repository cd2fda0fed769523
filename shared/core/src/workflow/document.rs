//! From text to a tree that knows where each value stands in the text.
//!
//! Two readers build the same tree. [`simple`] reads what nearly all documents consist of (JSON, and YAML without
//! anchors, tags, block scalars and the like) several times faster than a full parser, and declines everything else,
//! faulty documents included. [`full`] then reads all of YAML and reports the problems. A property test holds the two
//! together.

mod full;
mod lines;
mod scalar;
mod simple;

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

pub(super) use lines::Lines;

use super::limits::Limits;
use super::problem::Code;

/// A value and where it begins: an offset in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node<'a> {
    pub at: u32,
    pub content: Content<'a>,
}

/// What a [`Node`] holds: the JSON data model, with the keys of an object in document order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<Entry<'a>>),
}

/// A key of an object with its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry<'a> {
    pub key_at: u32,
    pub key: Cow<'a, str>,
    pub value: Node<'a>,
}

/// Something wrong with the text itself.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub at: u32,
    pub code: Code,
    pub message: String,
    pub remedy: &'static str,
}

/// Reads `text`. There is a tree, too, when all faults are such that the rest of the document still makes sense.
pub(super) fn read<'a>(text: &'a str, limits: &Limits) -> (Option<Node<'a>>, Vec<Fault>) {
    match simple::read(text, limits) {
        Some(tree) => (Some(tree), Vec::new()),
        None => full::read(text, limits),
    }
}

impl<'a> Node<'a> {
    /// The value of `key`, when this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        match &self.content {
            Content::Object(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The value behind a key or, written as a number, an index.
    pub fn step(&self, step: &str) -> Option<&Node<'a>> {
        match &self.content {
            Content::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => self.get(step),
        }
    }

    /// The type, with an article.
    pub fn describe(&self) -> &'static str {
        self.content.describe()
    }

    /// The plain JSON value.
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.as_ref().to_owned()),
            Content::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Content::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.as_ref().to_owned(), entry.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

impl Content<'_> {
    /// The type, with an article.
    pub fn describe(&self) -> &'static str {
        match self {
            Content::Null => "null",
            Content::Bool(_) => "a boolean",
            Content::Number(_) => "a number",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Object(_) => "an object",
        }
    }
}

/// The position of the first key of `entries` that occurs before it.
fn repeated_key(entries: &[Entry<'_>]) -> Option<usize> {
    const PAIRWISE_MAX: usize = 16;
    if entries.len() <= PAIRWISE_MAX {
        return (1..entries.len()).find(|&i| entries[..i].iter().any(|entry| entry.key == entries[i].key));
    }
    let mut seen = std::collections::HashSet::with_capacity(entries.len());
    entries.iter().position(|entry| !seen.insert(entry.key.as_ref()))
}

/// Whether the complete reader finds the same tree as the fast one, when that accepts the text.
#[cfg(test)]
pub(super) fn readers_agree(text: &str) -> bool {
    /// Where an absent value or an unindented list begins is a matter of taste.
    fn forget_places(node: &mut Node<'_>) {
        match &mut node.content {
            Content::Null => node.at = 0,
            Content::List(items) => {
                node.at = 0;
                items.iter_mut().for_each(forget_places);
            }
            Content::Object(entries) => entries
                .iter_mut()
                .for_each(|entry| forget_places(&mut entry.value)),
            _ => {}
        }
    }
    let limits = Limits::api();
    let Some(mut fast) = simple::read(text, &limits).filter(|_| !simple::is_odd(text)) else {
        return true;
    };
    let (Some(mut complete), faults) = full::read(text, &limits) else {
        return false;
    };
    forget_places(&mut fast);
    forget_places(&mut complete);
    fast == complete && faults.is_empty()
}
