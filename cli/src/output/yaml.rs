//! Plain data as YAML.

use serde_json::Value;

/// The value as a YAML document. Every text that YAML could read as something else is quoted as in JSON.
pub fn to_string(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_block(&mut text, value, 0),
        Value::Array(items) if !items.is_empty() => write_block(&mut text, value, 0),
        value => {
            text.push_str(&scalar(value));
            text.push('\n');
        }
    }
    text
}

fn write_block(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                text.push_str(&"  ".repeat(depth));
                text.push_str(&word(key));
                text.push(':');
                write_value(text, value, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                text.push_str(&"  ".repeat(depth));
                text.push('-');
                write_item(text, item, depth);
            }
        }
        value => text.push_str(&scalar(value)),
    }
}

/// What follows a key.
fn write_value(text: &mut String, value: &Value, depth: usize) {
    if is_block(value) {
        text.push('\n');
        write_block(text, value, depth + 1);
    } else {
        text.push(' ');
        text.push_str(&scalar(value));
        text.push('\n');
    }
}

/// What follows a dash: the first key of an object stands on the same line.
fn write_item(text: &mut String, item: &Value, depth: usize) {
    if !is_block(item) {
        text.push(' ');
        text.push_str(&scalar(item));
        text.push('\n');
        return;
    }
    let mut inner = String::new();
    write_block(&mut inner, item, depth + 1);
    text.push(' ');
    text.push_str(inner.trim_start());
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        other => other.to_string(),
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
        false => Value::String(text.to_owned()).to_string(),
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
    }
}
