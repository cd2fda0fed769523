//! JSON to CEL and back.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use cel::objects::Key;
use serde_json::{Number, Value};

use super::ExpressionError;

/// The CEL value of a JSON value; texts are borrowed. Integers become `int` (`uint` above its range), other numbers
/// `double`.
pub(super) fn to_cel(value: &Value) -> Box<dyn Val + '_> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => number_to_cel(number),
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(to_cel).collect::<Vec<_>>())),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, field)| (CelMapKey::from(key.as_str()), to_cel(field)));
            Box::new(CelMap::from(fields.collect::<HashMap<_, _>>()))
        }
    }
}

fn number_to_cel(number: &Number) -> Box<dyn Val> {
    if let Some(integer) = number.as_i64() {
        Box::new(CelInt::from(integer))
    } else if let Some(natural) = number.as_u64() {
        Box::new(CelUInt::from(natural))
    } else {
        Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN)))
    }
}

/// The JSON value of a result.
///
/// # Errors
/// When JSON has no such value: infinity, NaN, bytes, a function.
pub(super) fn to_json(value: &cel::Value) -> Result<Value, ExpressionError> {
    Ok(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(value) => Value::Bool(*value),
        cel::Value::Int(integer) => Value::from(*integer),
        cel::Value::UInt(natural) => Value::from(*natural),
        cel::Value::Float(double) => match Number::from_f64(*double) {
            Some(number) => Value::Number(number),
            None => {
                return Err(ExpressionError(format!(
                    "the result {double} is not a JSON number"
                )));
            }
        },
        cel::Value::String(text) => Value::String(text.as_ref().clone()),
        cel::Value::List(items) => Value::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        cel::Value::Map(fields) => {
            let fields = fields
                .map
                .iter()
                .map(|(key, field)| Ok((key_to_text(key), to_json(field)?)));
            Value::Object(fields.collect::<Result<_, _>>()?)
        }
        other => {
            return Err(ExpressionError(format!(
                "a result of type {} has no JSON form",
                other.type_of()
            )));
        }
    })
}

fn key_to_text(key: &Key) -> String {
    match key {
        Key::String(text) => text.as_ref().clone(),
        other => other.to_string(),
    }
}
