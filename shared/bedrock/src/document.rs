//! JSON as the SDK has it, and as everybody else does.

use aws_smithy_types::{Document, Number};
use serde_json::{Map, Value};

/// The SDK's form.
pub(super) fn of(value: &Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(is_true) => Document::Bool(*is_true),
        Value::Number(number) => Document::Number(match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Number::PosInt(number),
            (None, Some(number)) => Number::NegInt(number),
            (None, None) => Number::Float(number.as_f64().unwrap_or_default()),
        }),
        Value::String(text) => Document::String(text.clone()),
        Value::Array(values) => Document::Array(values.iter().map(of).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), of(value)));
            Document::Object(fields.collect())
        }
    }
}

/// The usual form. Fields come in the order of their names, so that the same answer is the same text.
pub(super) fn to_json(document: &Document) -> Value {
    match document {
        Document::Null => Value::Null,
        Document::Bool(is_true) => Value::Bool(*is_true),
        Document::Number(number) => match *number {
            Number::PosInt(number) => number.into(),
            Number::NegInt(number) => number.into(),
            // What JSON has no form for is none of our answers.
            Number::Float(number) => serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number),
        },
        Document::String(text) => Value::String(text.clone()),
        Document::Array(values) => Value::Array(values.iter().map(to_json).collect()),
        Document::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            let fields = sorted
                .into_iter()
                .map(|(name, value)| (name.clone(), to_json(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_lost_on_the_way() {
        let value = json!({"a": [1, -2, 2.5, true, null, "x"], "b": {"c": {}}, "d": u64::MAX, "e": i64::MIN});
        assert_eq!(to_json(&of(&value)), value);
    }
}
