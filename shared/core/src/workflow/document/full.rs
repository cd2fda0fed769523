//! The complete reader: all of YAML 1.2 that has a JSON meaning, and a problem for everything else.

mod aliases;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span};

use super::{Content, Entry, Fault, Limits, Node, repeated_key, scalar};
use crate::workflow::problem::Code;

/// Reads `text`. After some faults the rest is not looked at; then there is no tree.
pub(super) fn read<'a>(text: &'a str, limits: &Limits) -> (Option<Node<'a>>, Vec<Fault>) {
    let mut builder = Builder::new(limits);
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        simple_key_max_lookahead: limits.text_bytes,
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let outcome = match event {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => {
                let at = offset(error.marker().byte_offset());
                Err(match error.kind() {
                    ErrorKind::RecursionLimitExceeded => builder.too_deep(at),
                    kind => {
                        let message = kind.to_string();
                        let remedy = hint(text, at, &message);
                        builder.fault(at, Code::Syntax, message, remedy)
                    }
                })
            }
        };
        if outcome.is_err() {
            return (None, builder.faults);
        }
    }
    if builder.root.is_none() {
        builder.fault(
            0,
            Code::Empty,
            "the document is empty",
            "a workflow has at least 'name' and 'tasks'",
        );
    }
    (builder.root, builder.faults)
}

/// What most likely helps with a syntax error at `at`.
fn hint(text: &str, at: u32, message: &str) -> &'static str {
    let (before, after) = text.split_at_checked(at as usize).unwrap_or_default();
    if message.contains("tab") {
        "indent with spaces, not with tabs"
    } else if before.ends_with('$') && after.starts_with('{') {
        "inside {...} and [...], write references in quotes: \"${...}\""
    } else if message.starts_with("mapping values") {
        "put a text that contains ': ' in quotes"
    } else {
        ""
    }
}

fn offset(byte_offset: Option<usize>) -> u32 {
    byte_offset.and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
}

/// The reader stops: a fault that makes the rest meaningless was noted.
struct Stop;

struct Builder<'a> {
    limits: Limits,
    nodes_left: usize,
    aliases_left: usize,
    alias_bytes_left: usize,
    root: Option<Node<'a>>,
    documents: usize,
    open: Vec<Frame<'a>>,
    /// Anchored values; `None` while a collection is still open.
    anchors: HashMap<usize, Option<Node<'a>>>,
    faults: Vec<Fault>,
}

/// A collection that is being read.
struct Frame<'a> {
    at: u32,
    anchor: usize,
    collection: Collection<'a>,
}

enum Collection<'a> {
    List(Vec<Node<'a>>),
    Object {
        entries: Vec<Entry<'a>>,
        merged: Vec<Node<'a>>,
        key: Option<Key<'a>>,
    },
}

struct Key<'a> {
    at: u32,
    text: Cow<'a, str>,
    merges: bool,
}

impl<'a> Builder<'a> {
    fn new(limits: &Limits) -> Builder<'a> {
        Builder {
            limits: limits.clone(),
            nodes_left: limits.nodes,
            aliases_left: limits.aliases,
            alias_bytes_left: limits.document_bytes,
            root: None,
            documents: 0,
            open: Vec::new(),
            anchors: HashMap::new(),
            faults: Vec::new(),
        }
    }

    fn fault(&mut self, at: u32, code: Code, message: impl Into<String>, remedy: &'static str) -> Stop {
        self.faults.push(Fault {
            at,
            code,
            message: message.into(),
            remedy,
        });
        Stop
    }

    fn too_deep(&mut self, at: u32) -> Stop {
        let message = format!("nested more than {} levels deep", self.limits.depth);
        self.fault(at, Code::Limit, message, "flatten the value")
    }

    fn take(&mut self, event: Event<'a>, span: &Span) -> Result<(), Stop> {
        let at = offset(span.start.byte_offset());
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.fault(
                        at,
                        Code::Unsupported,
                        "a second document begins here",
                        "write each workflow to a file of its own",
                    ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                self.scalar(at, text, style == ScalarStyle::Plain, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                self.start(Frame {
                    at,
                    anchor,
                    collection: Collection::List(Vec::new()),
                })
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                let collection = Collection::Object {
                    entries: Vec::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.start(Frame {
                    at,
                    anchor,
                    collection,
                })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let frame = self.open.pop().expect("the parser pairs starts and ends");
                self.end(frame)
            }
            Event::Alias(anchor) => self.alias(at, anchor),
            Event::UnresolvedAlias(name) => {
                let message = format!("the alias '*{name}' names no anchor");
                self.fault(
                    at,
                    Code::Syntax,
                    message,
                    "define it before, as in '&name value', or quote the text",
                );
                self.attach(Node {
                    at,
                    content: Content::Null,
                });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn refuse_tag(&mut self, has_tag: bool, span: &Span) {
        if has_tag {
            let at = offset(span.tag_start.unwrap_or(span.start).byte_offset());
            self.fault(
                at,
                Code::Unsupported,
                "YAML tags are not supported",
                "remove it; quote texts that look like numbers",
            );
        }
    }

    fn count_node(&mut self, at: u32) -> Result<(), Stop> {
        match self.nodes_left.checked_sub(1) {
            Some(left) => {
                self.nodes_left = left;
                Ok(())
            }
            None => {
                let message = format!("the document has more than {} values", self.limits.nodes);
                Err(self.fault(at, Code::Limit, message, "split the workflow"))
            }
        }
    }

    fn scalar(&mut self, at: u32, text: Cow<'a, str>, plain: bool, anchor: usize) -> Result<(), Stop> {
        self.count_node(at)?;
        if text.len() > self.limits.text_bytes {
            let message = format!(
                "a text of {} bytes (at most {} are allowed)",
                text.len(),
                self.limits.text_bytes
            );
            self.fault(at, Code::Limit, message, "pass large data as a file");
        }
        if let Some(Frame {
            collection: Collection::Object { key: key @ None, .. },
            ..
        }) = self.open.last_mut()
        {
            let node = Node {
                at,
                content: Content::Text(text.clone()),
            };
            *key = Some(Key {
                at,
                merges: plain && text == "<<",
                text,
            });
            return self.anchor(anchor, &node);
        }
        let content = if !plain {
            Content::Text(text)
        } else if let Some(content) = scalar::resolve(text.clone()) {
            content
        } else {
            let message = format!("the number '{text}' has no JSON form");
            self.fault(at, Code::BadValue, message, "quote it to make it a text");
            Content::Null
        };
        let node = Node { at, content };
        self.anchor(anchor, &node)?;
        self.attach(node);
        Ok(())
    }

    fn start(&mut self, frame: Frame<'a>) -> Result<(), Stop> {
        self.count_node(frame.at)?;
        if self.open.len() >= self.limits.depth {
            return Err(self.too_deep(frame.at));
        }
        if frame.anchor != 0 {
            self.anchors.insert(frame.anchor, None);
        }
        self.open.push(frame);
        Ok(())
    }

    fn end(&mut self, frame: Frame<'a>) -> Result<(), Stop> {
        let content = match frame.collection {
            Collection::List(items) => Content::List(items),
            Collection::Object {
                mut entries, merged, ..
            } => {
                if let Some(position) = repeated_key(&entries) {
                    self.report_repeated_keys(&entries, position);
                }
                self.merge(&mut entries, merged);
                Content::Object(entries)
            }
        };
        let node = Node {
            at: frame.at,
            content,
        };
        self.anchor(frame.anchor, &node)?;
        self.attach(node);
        Ok(())
    }

    fn report_repeated_keys(&mut self, entries: &[Entry<'a>], first: usize) {
        let mut seen: HashSet<&str> = entries[..first].iter().map(|entry| entry.key.as_ref()).collect();
        for entry in &entries[first..] {
            if !seen.insert(&entry.key) {
                let message = format!("the key '{}' is given twice", entry.key);
                self.fault(entry.key_at, Code::DuplicateKey, message, "keep one of them");
            }
        }
    }

    /// Puts a complete value where it belongs.
    fn attach(&mut self, node: Node<'a>) {
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut frame.collection {
            Collection::List(items) => items.push(node),
            Collection::Object { entries, merged, key } => match (key.take(), node.content) {
                (None, Content::Text(text)) => {
                    *key = Some(Key {
                        at: node.at,
                        text,
                        merges: false,
                    });
                }
                (None, content) => {
                    *key = Some(Key {
                        at: node.at,
                        text: Cow::Borrowed(""),
                        merges: false,
                    });
                    let message = format!("a key must be a text, but this is {}", content.describe());
                    self.fault(node.at, Code::Unsupported, message, "quote the key");
                }
                (Some(Key { merges: true, .. }), Content::List(sources)) => merged.extend(sources),
                (Some(Key { merges: true, .. }), content) => merged.push(Node { at: node.at, content }),
                (Some(Key { at, text, .. }), content) => {
                    entries.push(Entry {
                        key_at: at,
                        key: text,
                        value: Node { at: node.at, content },
                    });
                }
            },
        }
    }
}
