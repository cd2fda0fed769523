//! Paths like `tasks.load.output.rows[0]`: what `${...}` holds and what expressions are found to read.

use std::fmt;

use serde_json::Value;

use super::expression::Scope;

/// The variables that references and expressions of a workflow may read.
pub const VARIABLES: [&str; 5] = ["inputs", "tasks", "run", "item", "item_index"];

/// The facts of a run that `run` holds.
pub const RUN_FIELDS: [&str; 6] = [
    "id",
    "workflow",
    "client_id",
    "inputs",
    "metadata",
    "submitted_at",
];

/// Longest accepted path, in steps.
const STEPS_MAX: usize = 64;

/// A variable and the way from it to the value meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The variable, as in `inputs`.
    pub variable: String,
    /// The steps from the variable's value.
    pub path: Vec<Step>,
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into an object.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// A reference that is malformed or has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReferenceError(pub String);

impl Reference {
    /// Parses `variable.key["any key"][index]...`. Keys behind a dot consist of letters, digits, `_` and `-`.
    ///
    /// # Errors
    /// When `text` does not have that form.
    pub fn parse(text: &str) -> Result<Reference, ReferenceError> {
        let malformed =
            |remedy: &str| Err(ReferenceError(format!("malformed reference '{text}' ({remedy})")));
        let (variable, mut rest) = split_name(text);
        if variable.is_empty() {
            return malformed("write it like 'inputs.name' or 'tasks.id.output'");
        }
        let mut path = Vec::new();
        while !rest.is_empty() {
            if path.len() == STEPS_MAX {
                return malformed("it is too long");
            }
            if let Some(tail) = rest.strip_prefix('.') {
                let (key, tail) = split_name(tail);
                if key.is_empty() {
                    return malformed(
                        "a '.' is followed by a key; quote other characters as in '[\"a key\"]'",
                    );
                }
                path.push(Step::Key(key.to_owned()));
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix("[\"") {
                let Some((key, tail)) = tail.split_once("\"]") else {
                    return malformed("close the key with '\"]'");
                };
                path.push(Step::Key(key.to_owned()));
                rest = tail;
            } else if let Some((index, tail)) = rest.strip_prefix('[').and_then(|tail| tail.split_once(']')) {
                let Ok(index) = index.parse() else {
                    return malformed("'[...]' holds a list index or a quoted key");
                };
                path.push(Step::Index(index));
                rest = tail;
            } else {
                return malformed("only '.key', '[index]' and '[\"key\"]' may follow; use 'when' to compute");
            }
        }
        Ok(Reference {
            variable: variable.to_owned(),
            path,
        })
    }

    /// The task it reads, when it starts with `tasks.NAME`.
    pub fn task(&self) -> Option<&str> {
        match (self.variable.as_str(), self.path.first()) {
            ("tasks", Some(Step::Key(name))) => Some(name),
            _ => None,
        }
    }

    /// The same path as a CEL expression.
    pub fn to_cel(&self) -> String {
        let mut text = self.variable.clone();
        for step in &self.path {
            match step {
                Step::Index(index) => text.push_str(&format!("[{index}]")),
                Step::Key(key) if is_identifier(key) => text.extend([".", key]),
                Step::Key(key) => text.push_str(&format!("[{}]", Value::from(key.as_str()))),
            }
        }
        text
    }

    /// The value it stands for; computed values (a status, an index) are owned.
    ///
    /// # Errors
    /// When there is no such value, naming the first step that is missing.
    pub fn resolve(&self, scope: &dyn Scope) -> Result<Value, ReferenceError> {
        match self.variable.as_str() {
            "inputs" => self.descend(scope.inputs(), 0),
            "run" => self.descend(scope.run(), 0),
            "tasks" => self.resolve_task(scope),
            "item" => match scope.item() {
                Some((item, _)) => self.descend(item, 0),
                None => Err(self.missing(0, "exists only in a for_each task")),
            },
            "item_index" => match scope.item() {
                Some((_, index)) => self.descend(&Value::from(index), 0),
                None => Err(self.missing(0, "exists only in a for_each task")),
            },
            _ => Err(ReferenceError(format!(
                "unknown variable '{}' (known are {})",
                self.variable,
                VARIABLES.join(", ")
            ))),
        }
    }

    fn resolve_task(&self, scope: &dyn Scope) -> Result<Value, ReferenceError> {
        let (Some(task), Some(Step::Key(field))) = (self.task(), self.path.get(1)) else {
            return Err(self.missing(0, "needs a task and 'output' or 'status'"));
        };
        match field.as_str() {
            "output" => match scope.output(task) {
                Some(output) => self.descend(output, 2),
                None => Err(self.missing(2, "has no value: the task has not succeeded")),
            },
            "status" => match scope.status(task) {
                Some(status) => self.descend(&Value::from(status), 2),
                None => Err(self.missing(1, "is not a task of the run")),
            },
            _ => Err(self.missing(1, "has only the fields 'output' and 'status'")),
        }
    }

    fn descend(&self, value: &Value, from: usize) -> Result<Value, ReferenceError> {
        let mut current = value;
        for (position, step) in self.path.iter().enumerate().skip(from) {
            let next = match step {
                Step::Key(key) => current.get(key),
                Step::Index(index) => current.get(index),
            };
            current = next.ok_or_else(|| {
                let complaint = match step {
                    Step::Key(key) => format!("has no field '{key}' (it is {})", describe(current)),
                    Step::Index(index) => format!("has no element {index} (it is {})", describe(current)),
                };
                self.missing(position, &complaint)
            })?;
        }
        Ok(current.clone())
    }

    fn missing(&self, steps: usize, complaint: &str) -> ReferenceError {
        let place = Reference {
            variable: self.variable.clone(),
            path: self.path[..steps].to_vec(),
        };
        ReferenceError(format!("'{place}' {complaint}"))
    }
}

/// Splits off the longest prefix of name characters.
fn split_name(text: &str) -> (&str, &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()))
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The JSON type of `value`, with an article and, for lists, the length.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.variable)?;
        for step in &self.path {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if !key.is_empty() && split_name(key).1.is_empty() => write!(f, ".{key}")?,
                Step::Key(key) => write!(f, "[\"{key}\"]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_prints_as_it_is_parsed() {
        for text in [
            "inputs",
            "inputs.a-b.c_1",
            "tasks.load.output[0].x",
            "tasks[\"a.b\"].output[\"two words\"]",
        ] {
            assert_eq!(Reference::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            ".",
            "a.",
            "a..b",
            "a[",
            "a[]",
            "a[-1]",
            "a[x]",
            "a[\"x",
            "a + b",
            "a .b",
            " a",
            "a[99999999999999999999]",
        ] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
        assert!(Reference::parse(&format!("a{}", ".b".repeat(65))).is_err());
    }
}
