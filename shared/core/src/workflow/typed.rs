//! Reads YAML or JSON into types of our own, for configuration files and policy cases: the same text rules and limits as
//! for workflows, and errors that know their line, their key and, for a misspelt key, what was probably meant.

use std::fmt;

use serde::Serialize;
use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::document::{self, Content, Entry, Fault, Lines, Node};
use super::limits::Limits;
use super::problem::{Code, Location};
use super::validate::nearest;

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
        fmt::from_fn(move |f| match self.location {
            Some(Location { line, column }) => write!(f, "{file}:{line}:{column}: {self}"),
            None => write!(f, "{file}: {self}"),
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if self.remedy.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.remedy)
        }
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

/// An error on its way out of the tree: each level adds its key, the innermost its place.
#[derive(Debug)]
pub(super) struct Error {
    code: &'static str,
    at: Option<u32>,
    /// Innermost first.
    path: Vec<String>,
    message: String,
    remedy: String,
}

impl Error {
    fn new(code: &'static str, message: String, remedy: String) -> Error {
        Error {
            code,
            at: None,
            path: Vec::new(),
            message,
            remedy,
        }
    }

    fn at(mut self, at: u32) -> Error {
        self.at.get_or_insert(at);
        self
    }

    fn within(mut self, step: String) -> Error {
        self.path.push(step);
        self
    }

    fn into_problem(self, lines: &Lines<'_>) -> Problem {
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

impl<'de, 'a> Deserializer<'de> for &'de Node<'a> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = match &self.content {
            Content::Null => visitor.visit_unit(),
            Content::Bool(value) => visitor.visit_bool(*value),
            Content::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
            Content::Text(text) => visitor.visit_borrowed_str(text),
            Content::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Content::Object(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        };
        value.map_err(|error| error.at(self.at))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.content {
            Content::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let value = match &self.content {
            Content::Text(text) => visitor.visit_enum(StrDeserializer::<Error>::new(text)),
            Content::Object(entries) if entries.len() == 1 => visitor.visit_enum(Variant(&entries[0])),
            _ => {
                let message = format!(
                    "expected one of {}, found {}",
                    variants.join(", "),
                    self.describe()
                );
                Err(Error::new("config.wrong-type", message, String::new()))
            }
        };
        value.map_err(|error| error.at(self.at))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Items<'n, 'a> {
    items: &'n [Node<'a>],
    next: usize,
}

impl<'n> SeqAccess<'n> for Items<'n, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        seed.deserialize(item)
            .map(Some)
            .map_err(|error| error.at(item.at).within(format!("[{index}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct Entries<'n, 'a> {
    entries: &'n [Entry<'a>],
    next: usize,
}

impl<'n> MapAccess<'n> for Entries<'n, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(entry) = self.entries.get(self.next) else {
            return Ok(None);
        };
        let key = seed.deserialize(BorrowedStrDeserializer::<Error>::new(&entry.key));
        key.map(Some).map_err(|error| error.at(entry.key_at))
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let entry = &self.entries[self.next];
        self.next += 1;
        seed.deserialize(&entry.value)
            .map_err(|error| error.at(entry.key_at).within(format!(".{}", entry.key)))
    }
}

/// `{variant: value}`.
struct Variant<'n, 'a>(&'n Entry<'a>);

impl<'n, 'a> EnumAccess<'n> for Variant<'n, 'a> {
    type Error = Error;
    type Variant = Variant<'n, 'a>;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self::Variant), Error> {
        let variant = seed.deserialize(BorrowedStrDeserializer::<Error>::new(&self.0.key));
        Ok((variant.map_err(|error| error.at(self.0.key_at))?, self))
    }
}

impl<'n> VariantAccess<'n> for Variant<'n, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        de::Deserialize::deserialize(&self.0.value)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(&self.0.value)
            .map_err(|error| error.within(format!(".{}", self.0.key)))
    }

    fn tuple_variant<V: Visitor<'n>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.value.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'n>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.value.deserialize_any(visitor)
    }
}

impl<'n> IntoDeserializer<'n, Error> for &'n Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        colour: Option<Colour>,
        #[serde(default)]
        sizes: Vec<u8>,
        #[serde(default)]
        ratio: f64,
        #[serde(default)]
        inner: BTreeMap<String, Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
        Green,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        command: Vec<String>,
    }

    fn problem(text: &str) -> String {
        let problems = read::<Sample>(text, &Limits::api()).unwrap_err();
        problems[0].in_file("f.yaml").to_string()
    }

    #[test]
    fn reads_into_types() {
        let sample: Sample = read(
            "colour: green\nsizes: [1, 2]\nratio: 3\ninner: {a: {command: [x]}}\n",
            &Limits::api(),
        )
        .unwrap();
        assert_eq!(sample.colour, Some(Colour::Green));
        assert_eq!((sample.sizes, sample.ratio), (vec![1, 2], 3.0));
        assert_eq!(
            sample.inner["a"],
            Inner {
                command: vec!["x".to_owned()]
            }
        );
        assert_eq!(
            read::<Sample>("# nothing\n", &Limits::api()).unwrap().sizes,
            Vec::<u8>::new()
        );
    }

    #[test]
    fn errors_name_the_place_the_key_and_the_remedy() {
        let table = [
            (
                "colour: red\ncolor: red\n",
                "f.yaml:2:1: config.unknown-key: unknown key 'color' (did you mean 'colour'?)",
            ),
            (
                "colour: blue\n",
                "f.yaml:1:9: config.bad-value: colour: 'blue' is not known (use one of red, green)",
            ),
            (
                "sizes: [1, 300]\n",
                "f.yaml:1:12: config.bad-value: sizes[1]: expected a whole number, 0 or greater, found '300'",
            ),
            (
                "sizes: 1\n",
                "f.yaml:1:8: config.wrong-type: sizes: expected a list, found '1'",
            ),
            (
                "inner:\n  a.b:\n    cmd: []\n",
                "f.yaml:3:5: config.unknown-key: inner.a.b: unknown key 'cmd' (use one of command)",
            ),
            (
                "inner:\n  a: {}\n",
                "f.yaml:2:6: config.missing-key: inner.a: the key 'command' is missing",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(problem(text), expected);
        }
        assert!(problem("a: [").starts_with("f.yaml:"));
    }

    #[test]
    fn a_path_is_found_in_the_text_also_through_keys_with_dots() {
        let text = "inner:\n  a.b:\n    command: [x, y]\n";
        let at = |path| locate(text, &Limits::api(), path).map(|place| (place.line, place.column));
        assert_eq!(at("inner.a.b.command[1]"), Some((3, 18)));
        assert_eq!(at("inner.a.b.absent"), Some((2, 3)));
        assert_eq!(at("elsewhere"), Some((1, 1)));
    }
}
