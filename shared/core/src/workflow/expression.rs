//! CEL expressions of `when` and `for_each`.

use std::fmt;

use serde_json::Value;

/// What expressions and references can see of a run. Implemented by the run state.
pub trait Scope {
    /// The run's inputs, an object.
    fn inputs(&self) -> &Value;
    /// The output of a finished upstream task; `None` when there is none (yet).
    fn output(&self, task: &str) -> Option<&Value>;
    /// The status of a task, as in `SUCCESS`.
    fn status(&self, task: &str) -> Option<&'static str>;
    /// Inside a `for_each` task: the element and its index.
    fn item(&self) -> Option<(&Value, u32)>;
    /// Facts of the run: an object with `id`, `workflow`, `metadata`, ...
    fn run(&self) -> &Value;
}

/// A compiled CEL expression.
pub struct Expression {
    source: String,
    program: cel::Program,
    tasks: Vec<String>,
}

/// An expression that does not compile or evaluate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(pub String);

impl Expression {
    /// Compiles `source`.
    ///
    /// # Errors
    /// With the compiler's message when it is not valid CEL.
    pub fn parse(source: &str) -> Result<Expression, ExpressionError> {
        let program = cel::Program::compile(source).map_err(|error| ExpressionError(error.to_string()))?;
        Ok(Expression { source: source.to_owned(), program, tasks: Vec::new() })
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The tasks named as `tasks.NAME` or `tasks["NAME"]`.
    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// Evaluates against `scope`.
    ///
    /// # Errors
    /// With CEL's message (an unknown field, a type error, ...).
    pub fn evaluate(&self, _scope: &dyn Scope) -> Result<Value, ExpressionError> {
        let _ = &self.program;
        Err(ExpressionError(String::new()))
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}
