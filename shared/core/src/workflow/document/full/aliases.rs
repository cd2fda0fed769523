//! Anchors, aliases and merge keys.

use std::collections::HashSet;

use super::{Builder, Stop};
use crate::workflow::document::{Content, Entry, Node};
use crate::workflow::problem::Code;

impl<'a> Builder<'a> {
    /// Remembers `node` under its anchor.
    pub(super) fn anchor(&mut self, anchor: usize, node: &Node<'a>) -> Result<(), Stop> {
        if anchor != 0 {
            self.charge(node.at, size(node))?;
            self.anchors.insert(anchor, Some(node.clone()));
        }
        Ok(())
    }

    /// Puts a copy of the anchored value in the place of an alias.
    pub(super) fn alias(&mut self, at: u32, anchor: usize) -> Result<(), Stop> {
        self.aliases_left = match self.aliases_left.checked_sub(1) {
            Some(left) => left,
            None => {
                let message = format!("more than {} uses of aliases", self.limits.aliases);
                return Err(self.fault(at, Code::Limit, message, "write the values out"));
            }
        };
        let Some(size) = self.anchors.get(&anchor).and_then(|node| node.as_ref().map(size)) else {
            let message = "this alias stands inside the value it names";
            self.fault(at, Code::Unsupported, message, "remove it");
            self.attach(Node {
                at,
                content: Content::Null,
            });
            return Ok(());
        };
        self.charge(at, size)?;
        if let Some(Some(node)) = self.anchors.get(&anchor) {
            self.attach(node.clone());
        }
        Ok(())
    }

    /// Pays for a copy before it is made: copies of copies must not explode.
    fn charge(&mut self, at: u32, (nodes, bytes): (usize, usize)) -> Result<(), Stop> {
        match (
            self.nodes_left.checked_sub(nodes),
            self.alias_bytes_left.checked_sub(bytes),
        ) {
            (Some(nodes_left), Some(bytes_left)) => {
                (self.nodes_left, self.alias_bytes_left) = (nodes_left, bytes_left);
                Ok(())
            }
            _ => Err(self.fault(
                at,
                Code::Limit,
                "aliases make the document too large",
                "write the values out",
            )),
        }
    }

    /// Adds what `<<` brings: explicit keys win, then earlier sources.
    pub(super) fn merge(&mut self, entries: &mut Vec<Entry<'a>>, sources: Vec<Node<'a>>) {
        if sources.is_empty() {
            return;
        }
        let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.to_string()).collect();
        for source in sources {
            if let Content::Object(more) = source.content {
                entries.extend(
                    more.into_iter()
                        .filter(|entry| known.insert(entry.key.to_string())),
                );
            } else {
                let message = format!("'<<' merges objects, but this is {}", source.content.describe());
                self.fault(
                    source.at,
                    Code::WrongType,
                    message,
                    "give an alias of an object, or a list of such",
                );
            }
        }
    }
}

/// Values and bytes of text in `node`.
fn size(node: &Node<'_>) -> (usize, usize) {
    let add = |(nodes, bytes): (usize, usize), (more, text): (usize, usize)| (nodes + more, bytes + text);
    match &node.content {
        Content::Text(text) => (1, text.len()),
        Content::List(items) => items.iter().map(size).fold((1, 0), add),
        Content::Object(entries) => entries
            .iter()
            .map(|entry| add(size(&entry.value), (0, entry.key.len())))
            .fold((1, 0), add),
        Content::Null | Content::Bool(_) | Content::Number(_) => (1, 0),
    }
}
