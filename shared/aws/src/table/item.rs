//! Attributes of items: writing, reading, measuring.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
pub use aws_sdk_dynamodb::types::AttributeValue as Value;
use orchestrator_core::time::Timestamp;

use crate::fault::{Fault, Kind};

/// An item.
pub type Item = HashMap<String, Value>;

/// A number.
pub fn number(number: impl ToString) -> Value {
    Value::N(number.to_string())
}

/// A text.
pub fn text(text: impl Into<String>) -> Value {
    Value::S(text.into())
}

/// Bytes.
pub fn bytes(bytes: impl Into<Vec<u8>>) -> Value {
    Value::B(Blob::new(bytes))
}

/// Seconds of a time, rounded up: what DynamoDB's expiry is given in.
pub fn seconds(at: Timestamp) -> Value {
    number(at.0.max(0) / 1_000 + 1)
}

/// The attribute as text.
///
/// # Errors
/// When the item has none.
pub fn text_of<'a>(item: &'a Item, name: &str) -> Result<&'a str, Fault> {
    match item.get(name) {
        Some(Value::S(text)) => Ok(text),
        _ => Err(malformed(name)),
    }
}

/// The attribute as bytes.
///
/// # Errors
/// When the item has none.
pub fn bytes_of<'a>(item: &'a Item, name: &str) -> Result<&'a [u8], Fault> {
    match item.get(name) {
        Some(Value::B(bytes)) => Ok(bytes.as_ref()),
        _ => Err(malformed(name)),
    }
}

/// The attribute as a number.
///
/// # Errors
/// When the item has none, or one that does not fit.
pub fn number_of<T: std::str::FromStr>(item: &Item, name: &str) -> Result<T, Fault> {
    match item.get(name) {
        Some(Value::N(number)) => number.parse().map_err(|_| malformed(name)),
        _ => Err(malformed(name)),
    }
}

/// The attribute as a hash.
///
/// # Errors
/// When the item has none.
pub fn hash_of(item: &Item, name: &str) -> Result<[u8; 32], Fault> {
    bytes_of(item, name)?.try_into().map_err(|_| malformed(name))
}

/// The attribute as a time; `None` when there is none.
///
/// # Errors
/// When it is something else.
pub fn time_of(item: &Item, name: &str) -> Result<Option<Timestamp>, Fault> {
    match item.contains_key(name) {
        true => number_of(item, name).map(|millis| Some(Timestamp(millis))),
        false => Ok(None),
    }
}

fn malformed(name: &str) -> Fault {
    Fault {
        kind: Kind::Fatal,
        detail: format!("an item of the table has no proper '{name}' (was it written by another program?)"),
    }
}

/// Bytes of an item as DynamoDB counts them: names and values.
pub fn size(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + size_of_value(value))
        .sum()
}

fn size_of_value(value: &Value) -> usize {
    match value {
        Value::S(text) => text.len(),
        Value::B(bytes) => bytes.as_ref().len(),
        // Two digits a byte, and one byte.
        Value::N(number) => number.len().div_ceil(2) + 1,
        Value::L(list) => 3 + list.iter().map(|value| 1 + size_of_value(value)).sum::<usize>(),
        Value::M(map) => {
            3 + map
                .iter()
                .map(|(name, value)| 1 + name.len() + size_of_value(value))
                .sum::<usize>()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_back_and_measured() {
        let item = Item::from([
            ("t".to_owned(), text("abc")),
            ("n".to_owned(), number(-12)),
            ("b".to_owned(), bytes(vec![1, 2])),
        ]);
        assert_eq!(text_of(&item, "t").unwrap(), "abc");
        assert_eq!(number_of::<i64>(&item, "n").unwrap(), -12);
        assert_eq!(bytes_of(&item, "b").unwrap(), [1, 2]);
        assert_eq!(size(&item), (1 + 3) + (1 + 3) + (1 + 2));
        assert!(number_of::<u32>(&item, "n").is_err() && text_of(&item, "b").is_err());
        assert_eq!(time_of(&item, "absent"), Ok(None));
    }
}
