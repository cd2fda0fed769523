//! Plain data as YAML.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The value as a YAML document, keys in the order of its JSON. Every text that YAML could read as something else is
/// quoted as in JSON.
pub fn to_string(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("answers are plain data with text keys");
    let node: Node = serde_json::from_str(&json).expect("what was just written can be read");
    let mut text = String::new();
    if node.is_block() {
        node.write_block(&mut text, 0);
    } else {
        node.write_inline(&mut text);
    }
    text
}

/// JSON with the keys in order.
enum Node {
    Scalar(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn is_block(&self) -> bool {
        match self {
            Node::Scalar(_) => false,
            Node::List(items) => !items.is_empty(),
            Node::Object(pairs) => !pairs.is_empty(),
        }
    }

    fn write_block(&self, text: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        match self {
            Node::Object(pairs) => {
                for (key, value) in pairs {
                    text.push_str(&format!("{indent}{}:", word(key)));
                    if value.is_block() {
                        text.push('\n');
                        value.write_block(text, depth + 1);
                    } else {
                        text.push(' ');
                        value.write_inline(text);
                    }
                }
            }
            Node::List(items) => {
                for item in items {
                    let mut inner = String::new();
                    if item.is_block() {
                        // The first key stands on the line of the dash.
                        item.write_block(&mut inner, depth + 1);
                    } else {
                        item.write_inline(&mut inner);
                    }
                    text.push_str(&format!("{indent}- {}", inner.trim_start()));
                }
            }
            Node::Scalar(_) => self.write_inline(text),
        }
    }

    fn write_inline(&self, text: &mut String) {
        match self {
            Node::Scalar(scalar) => text.push_str(scalar),
            Node::List(_) => text.push_str("[]"),
            Node::Object(_) => text.push_str("{}"),
        }
        text.push('\n');
    }
}

/// A text, quoted unless it is plainly a text.
fn word(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || " _-./".contains(letter))
        && !text.ends_with(' ')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n" | "inf" | "nan"
        );
    match is_plain {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar("null".to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value).to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(word(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(pair) = pairs.next_entry()? {
            object.push(pair);
        }
        Ok(Node::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_data_is_written_as_blocks() {
        let value = json!({"a": {"b": [1, {"c": "x y", "d": []}], "e": null}, "on": "no", "t": "2026-11-22"});
        let expected =
            "a:\n  b:\n    - 1\n    - c: x y\n      d: []\n  e: null\n\"on\": \"no\"\nt: \"2026-11-22\"\n";
        assert_eq!(to_string(&value), expected);
        assert_eq!(to_string(&json!([])), "[]\n");
    }
}
