//! What is wrong with a value, in words.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::Problem;
use crate::workflow::document::Lines;
use crate::workflow::validate::nearest;

/// An error on its way out of the tree: each level adds its key, the innermost its place.
#[derive(Debug)]
pub(crate) struct Error {
    code: &'static str,
    at: Option<u32>,
    /// Innermost first.
    path: Vec<String>,
    message: String,
    remedy: String,
}

impl Error {
    pub(super) fn new(code: &'static str, message: String, remedy: String) -> Error {
        Error {
            code,
            at: None,
            path: Vec::new(),
            message,
            remedy,
        }
    }

    pub(super) fn at(mut self, at: u32) -> Error {
        self.at.get_or_insert(at);
        self
    }

    pub(super) fn within(mut self, step: String) -> Error {
        self.path.push(step);
        self
    }

    pub(super) fn into_problem(self, lines: &Lines<'_>) -> Problem {
        let path: String = self.path.iter().rev().map(String::as_str).collect();
        Problem {
            code: self.code.to_owned(),
            path: path.strip_prefix('.').unwrap_or(&path).to_owned(),
            location: self.at.map(|at| lines.locate(at)),
            message: self.message,
            remedy: self.remedy,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Error {
        Error::new("config.bad-value", message.to_string(), String::new())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        let message = format!("expected {}, found {}", wanted(expected), described(&found));
        Error::new("config.wrong-type", message, String::new())
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        let message = format!("expected {}, found {}", wanted(expected), described(&found));
        Error::new("config.bad-value", message, String::new())
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Error {
        Error::new(
            "config.bad-value",
            format!("'{}' is not known", shortened(found)),
            choices(found, expected),
        )
    }

    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Error {
        Error::new(
            "config.unknown-key",
            format!("unknown key '{}'", shortened(found)),
            choices(found, expected),
        )
    }

    fn missing_field(field: &'static str) -> Error {
        Error::new(
            "config.missing-key",
            format!("the key '{field}' is missing"),
            String::new(),
        )
    }
}

/// Longest part of a faulty value that is repeated in a message, in characters.
const QUOTED_CHARS_MAX: usize = 60;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn described(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("'{value}'"),
        Unexpected::Unsigned(number) => format!("'{number}'"),
        Unexpected::Signed(number) => format!("'{number}'"),
        Unexpected::Float(number) => format!("'{number}'"),
        Unexpected::Str(text) => format!("'{}'", shortened(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

/// serde's names of types in the words of a configuration file.
fn wanted(expected: &dyn Expected) -> String {
    let name = expected.to_string();
    match name.as_str() {
        "a string" | "string" | "str" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a mapping".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or greater".to_owned(),
        "i64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        name if name.starts_with("struct ") => "a mapping".to_owned(),
        _ => name,
    }
}

/// The remedy for a word that is none of `expected`.
fn choices(found: &str, expected: &[&str]) -> String {
    const LISTED_MAX: usize = 12;
    match nearest(found, expected.iter().copied()) {
        Some(word) => format!("did you mean '{word}'?"),
        None if expected.len() <= LISTED_MAX => format!("use one of {}", expected.join(", ")),
        None => String::new(),
    }
}
