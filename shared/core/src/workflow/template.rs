//! References `${...}` inside task parameters.

use std::sync::Arc;

use serde_json::Value;

use super::expression::Scope;
use super::reference::Reference;
pub use super::reference::ReferenceError;

/// A JSON value whose strings may hold references (`${inputs.x}`, `${tasks.a.output.b}`, `${item}`, `${item_index}`,
/// `${run.id}`). `$${` stands for the text `${`.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    value: Arc<Value>,
    has_references: bool,
}

/// A reference found in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where in the value: keys and indexes from the root, as in `["options", "0"]`.
    pub path: Vec<String>,
    /// What was found; an error when it is malformed.
    pub reference: Result<Reference, ReferenceError>,
}

impl Template {
    /// Wraps a value, noting whether there is anything to resolve.
    pub fn new(value: Value) -> Template {
        let has_references = mentions(&value);
        Template {
            value: Arc::new(value),
            has_references,
        }
    }

    /// Wraps a value that is taken as it is, whatever its texts look like.
    pub fn literal(value: Arc<Value>) -> Template {
        Template {
            value,
            has_references: false,
        }
    }

    /// The value as written.
    pub fn raw(&self) -> &Arc<Value> {
        &self.value
    }

    /// Whether any string holds a reference or an escape.
    pub fn has_references(&self) -> bool {
        self.has_references
    }

    /// All references in document order, the malformed ones too.
    pub fn references(&self) -> Vec<Found> {
        let mut found = Vec::new();
        if self.has_references {
            collect(&self.value, &mut Vec::new(), &mut found);
        }
        found
    }

    /// The value with every reference replaced. A string that is one whole reference takes the referenced value with
    /// its type; inside a longer string the value is inserted as text. Shares the original when nothing refers.
    ///
    /// # Errors
    /// When a reference has no value in `scope`.
    pub fn resolve(&self, scope: &dyn Scope) -> Result<Arc<Value>, ReferenceError> {
        if !self.has_references {
            return Ok(Arc::clone(&self.value));
        }
        substitute(&self.value, scope).map(Arc::new)
    }
}

impl Default for Template {
    /// The empty object: no parameters.
    fn default() -> Template {
        Template::new(Value::Object(serde_json::Map::new()))
    }
}

/// A run of text, or what stands between `${` and `}`.
enum Piece<'a> {
    Text(&'a str),
    Reference(Result<&'a str, ReferenceError>),
}

/// Cuts a string into pieces.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let text = self.0;
        if text.is_empty() {
            return None;
        }
        if let Some(rest) = text.strip_prefix("$${") {
            self.0 = rest;
            return Some(Piece::Text("${"));
        }
        if let Some(body) = text.strip_prefix("${") {
            let Some(end) = closing_brace(body) else {
                self.0 = "";
                let message = "unclosed '${' (close it with '}', or write '$${' for the text '${')";
                return Some(Piece::Reference(Err(ReferenceError(message.to_owned()))));
            };
            self.0 = &body[end + 1..];
            return Some(Piece::Reference(Ok(&body[..end])));
        }
        let end = match text.find("${") {
            Some(at) if text[..at].ends_with('$') => at - 1,
            Some(at) => at,
            None => text.len(),
        };
        self.0 = &text[end..];
        Some(Piece::Text(&text[..end]))
    }
}

/// The first `}` outside double quotes.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b'}' && !quoted
    })
}

fn mentions(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${"),
        Value::Array(items) => items.iter().any(mentions),
        Value::Object(fields) => fields.values().any(mentions),
        _ => false,
    }
}

fn collect(value: &Value, path: &mut Vec<String>, found: &mut Vec<Found>) {
    match value {
        Value::String(text) if text.contains("${") => {
            for piece in Pieces(text) {
                if let Piece::Reference(body) = piece {
                    found.push(Found {
                        path: path.clone(),
                        reference: body.and_then(Reference::parse),
                    });
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                collect(item, path, found);
                path.pop();
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                path.push(key.clone());
                collect(field, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn substitute(value: &Value, scope: &dyn Scope) -> Result<Value, ReferenceError> {
    Ok(match value {
        Value::String(text) if text.contains("${") => substitute_text(text, scope)?,
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| substitute(item, scope))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, field)| Ok((key.clone(), substitute(field, scope)?)));
            Value::Object(fields.collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

fn substitute_text(text: &str, scope: &dyn Scope) -> Result<Value, ReferenceError> {
    let mut result = String::with_capacity(text.len());
    for piece in Pieces(text) {
        match piece {
            Piece::Text(piece) => result.push_str(piece),
            Piece::Reference(body) => {
                let body = body?;
                let value = Reference::parse(body)?.resolve(scope)?;
                if body.len() + "${}".len() == text.len() {
                    return Ok(value);
                }
                match value {
                    Value::String(inserted) => result.push_str(&inserted),
                    other => result.push_str(&other.to_string()),
                }
            }
        }
    }
    Ok(Value::String(result))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workflow::expression::tests::Facts;

    fn resolve(params: Value) -> Result<Value, String> {
        let resolved = Template::new(params).resolve(&Facts::sample());
        resolved
            .map(|value| (*value).clone())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_reference_keeps_its_type_and_an_embedded_one_becomes_text() {
        let cases = [
            (json!("${inputs.rows}"), json!(344)),
            (json!("${inputs.rows} rows"), json!("344 rows")),
            (json!("${inputs.columns}"), json!(["a", "b"])),
            (
                json!("columns ${inputs.columns}, none: ${inputs.nothing}"),
                json!("columns [\"a\",\"b\"], none: null"),
            ),
            (
                json!({"deep": [{"x": "${tasks.load.output.path}"}]}),
                json!({"deep": [{"x": "/data/a.csv"}]}),
            ),
            (json!("${tasks.load.output.sizes[1]}"), json!(20)),
            (json!("${tasks[\"load\"].status}"), json!("SUCCESS")),
            (json!("${item.name}-${item_index}"), json!("gentoo-2")),
            (json!("${run.id}${run.id}"), json!("r1r1")),
            (json!("$${inputs.rows}"), json!("${inputs.rows}")),
            (json!("$$${inputs.rows}"), json!("$${inputs.rows}")),
            (
                json!("costs $5, $$, ${inputs.rows}$"),
                json!("costs $5, $$, 344$"),
            ),
            (
                json!("; rm -rf / && `id` $(id) $HOME"),
                json!("; rm -rf / && `id` $(id) $HOME"),
            ),
        ];
        for (params, expected) in cases {
            assert_eq!(resolve(params.clone()), Ok(expected), "{params}");
        }
    }

    #[test]
    fn a_reference_without_value_names_the_missing_step() {
        let cases = [
            ("${inputs.x}", "'inputs' has no field 'x' (it is an object)"),
            (
                "${inputs.rows.x}",
                "'inputs.rows' has no field 'x' (it is a number)",
            ),
            (
                "${inputs.columns[7]}",
                "'inputs.columns' has no element 7 (it is a list of 2)",
            ),
            (
                "${tasks.train.output.x}",
                "'tasks.train.output' has no value: the task has not succeeded",
            ),
            (
                "${tasks.nobody.status}",
                "'tasks.nobody' is not a task of the run",
            ),
            ("${tasks.load}", "'tasks' needs a task and 'output' or 'status'"),
            (
                "${HOME}",
                "unknown variable 'HOME' (known are inputs, tasks, run, item, item_index)",
            ),
            (
                "a ${",
                "unclosed '${' (close it with '}', or write '$${' for the text '${')",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(json!(text)), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn references_are_listed_with_their_place() {
        let template = Template::new(json!({"a": ["x", "${inputs.x} ${item}"], "b": "${", "c": "$${no}"}));
        let listed: Vec<String> = template
            .references()
            .into_iter()
            .map(|found| {
                let what = found
                    .reference
                    .map_or_else(|error| error.to_string(), |reference| reference.to_string());
                format!(
                    "{}: {}",
                    found.path.join("."),
                    what.split(' ').next().unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(listed, ["a.1: inputs.x", "a.1: item", "b: unclosed"]);
    }

    #[test]
    fn a_template_without_references_shares_its_value() {
        let template = Template::new(json!({"a": 1}));
        let resolved = template.resolve(&Facts::sample()).unwrap();
        assert!(Arc::ptr_eq(&resolved, template.raw()));
    }
}
