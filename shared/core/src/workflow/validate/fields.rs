//! Typed access to the values of an object, reporting what does not fit.

use std::fmt;

use super::report::Report;
use crate::workflow::document::{Content, Node};
use crate::workflow::problem::Code;

/// A place in the document's structure, printed as in `tasks[2].params.path`.
#[derive(Clone, Copy)]
pub(in crate::workflow) enum Place<'p> {
    /// The document.
    Root,
    /// A key of an object.
    Key(&'p Place<'p>, &'p str),
    /// An element of a list.
    Index(&'p Place<'p>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Key(Place::Root, key) => f.write_str(key),
            Place::Key(parent, key) => write!(f, "{parent}.{key}"),
            Place::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// An object all of whose keys are known in advance.
pub(super) struct Fields<'n, 'a, const N: usize> {
    at: u32,
    place: Place<'n>,
    keys: &'static [&'static str; N],
    values: [Option<&'n Node<'a>>; N],
}

impl<'n, 'a, const N: usize> Fields<'n, 'a, N> {
    /// Sorts the entries of `node` by key; reports unknown ones. `None` when it is no object.
    pub fn of(
        node: &'n Node<'a>,
        place: Place<'n>,
        keys: &'static [&'static str; N],
        report: &mut Report,
    ) -> Option<Self> {
        let Content::Object(entries) = &node.content else {
            wrong_type(node, &place, "an object", report);
            return None;
        };
        let mut values = [None; N];
        for entry in entries {
            match keys.iter().position(|key| *key == entry.key) {
                Some(position) => values[position] = Some(&entry.value),
                None => {
                    let message = format!("unknown key '{}'", entry.key);
                    let remedy = match report.nearest(&entry.key, keys.iter().copied()) {
                        Some(key) => format!("did you mean '{key}'?"),
                        None => format!("known are {}", keys.join(", ")),
                    };
                    report.error(
                        entry.key_at,
                        Code::UnknownKey,
                        &Place::Key(&place, &entry.key),
                        message,
                        remedy,
                    );
                }
            }
        }
        Some(Fields {
            at: node.at,
            place,
            keys,
            values,
        })
    }

    /// Where the object begins.
    pub fn at(&self) -> u32 {
        self.at
    }

    /// Where the object stands.
    pub fn place(&self) -> &Place<'n> {
        &self.place
    }

    /// The value of `key`; `null` counts as absent.
    pub fn get(&self, key: &'static str) -> Option<&'n Node<'a>> {
        let position = self
            .keys
            .iter()
            .position(|known| *known == key)
            .expect("keys are asked for by a known name");
        self.values[position].filter(|node| node.content != Content::Null)
    }

    /// The value of `key` read by `read`, which gets its place.
    pub fn read<T>(
        &self,
        key: &'static str,
        report: &mut Report,
        read: impl FnOnce(&'n Node<'a>, &Place<'_>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        read(self.get(key)?, &Place::Key(&self.place, key), report)
    }

    /// As [`Fields::read`]; reports when the key is missing.
    pub fn require<T>(
        &self,
        key: &'static str,
        report: &mut Report,
        read: impl FnOnce(&'n Node<'a>, &Place<'_>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        if self.get(key).is_none() {
            report.error(
                self.at,
                Code::MissingKey,
                &self.place,
                format!("'{key}' is missing"),
                "add it",
            );
        }
        self.read(key, report, read)
    }
}

/// Reports that `node` is not `expected`.
pub(super) fn wrong_type(node: &Node<'_>, place: &Place<'_>, expected: &str, report: &mut Report) {
    let name = match place {
        Place::Root => "the document".to_owned(),
        Place::Key(_, key) => format!("'{key}'"),
        Place::Index(..) => format!("'{place}'"),
    };
    let message = format!("{name} must be {expected}, but is {}", node.describe());
    report.error(node.at, Code::WrongType, place, message, "");
}
