//! CEL expressions: `when` and `for_each` of a workflow, the rules of a policy.
//!
//! Expressions come from strangers, so every resource they use is bounded: the length of the source and the depth of
//! its tree when it is compiled (a deep tree would overflow the stack), the number of elements it walks over when it
//! is evaluated (see [`budget`]).

mod budget;
mod syntax;
mod values;

use std::fmt;

use serde_json::{Map, Value};

use super::reference::{Reference, Step};

/// Longest accepted source, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4096;

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

/// A compiled CEL expression. Boxed, because most tasks have none.
pub struct Expression(Box<Compiled>);

struct Compiled {
    source: String,
    tree: cel::IdedExpr,
    references: Vec<Reference>,
    tasks: Vec<String>,
}

/// An expression that does not compile or evaluate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(pub String);

impl Expression {
    /// Compiles `source`. Any variable may be used: callers check [`Expression::references`] against what they offer.
    ///
    /// # Errors
    /// When it is not valid CEL, calls an unknown function, or is too long or too deeply nested.
    pub fn parse(source: &str) -> Result<Expression, ExpressionError> {
        let mut tree = syntax::parse(source)?;
        let references = syntax::references(&tree);
        syntax::meter_loops(&mut tree);
        let mut tasks: Vec<String> = references
            .iter()
            .filter_map(Reference::task)
            .map(str::to_owned)
            .collect();
        tasks.sort_unstable();
        tasks.dedup();
        Ok(Expression(Box::new(Compiled {
            source: source.to_owned(),
            tree,
            references,
            tasks,
        })))
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The tasks named as `tasks.NAME` or `tasks["NAME"]`, sorted.
    pub fn tasks(&self) -> &[String] {
        &self.0.tasks
    }

    /// Everything it reads: each variable with the longest constant path that follows it.
    pub fn references(&self) -> &[Reference] {
        &self.0.references
    }

    /// The value when the expression reads nothing and so always gives the same.
    pub fn constant(&self) -> Option<Value> {
        if self.0.references.is_empty() {
            self.evaluate_with(&[]).ok()
        } else {
            None
        }
    }

    /// Evaluates against `scope`. Of the tasks, only those it names are visible.
    ///
    /// # Errors
    /// With what is missing or does not fit (an unknown field, a type error, ...).
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, ExpressionError> {
        let tasks = if self.0.tasks.is_empty() {
            Value::Null
        } else {
            self.visible_tasks(scope)
        };
        let index = scope.item().map(|(_, index)| Value::from(index));
        let mut variables = vec![
            ("inputs", scope.inputs()),
            ("run", scope.run()),
            ("tasks", &tasks),
        ];
        if let (Some((item, _)), Some(index)) = (scope.item(), &index) {
            variables.extend([("item", item), ("item_index", index)]);
        }
        self.evaluate_with(&variables)
    }

    /// Evaluates against named values.
    ///
    /// # Errors
    /// As for [`Expression::evaluate`].
    pub fn evaluate_with(&self, variables: &[(&str, &Value)]) -> Result<Value, ExpressionError> {
        self.run(variables, budget::UNITS_MAX)
    }

    fn run(&self, variables: &[(&str, &Value)], units: usize) -> Result<Value, ExpressionError> {
        let mut context = budget::context(units);
        for (name, value) in variables {
            if self
                .0
                .references
                .iter()
                .any(|reference| reference.variable == *name)
            {
                context.add_variable_as_val(*name, values::to_cel(value));
            }
        }
        let result = cel::Value::resolve(&self.0.tree, &context).map_err(|error| self.explain(&error))?;
        values::to_json(&result)
    }

    fn visible_tasks(&self, scope: &dyn Scope) -> Value {
        let fields = self.0.tasks.iter().map(|name| {
            let mut task = Map::new();
            if let Some(output) = scope.output(name) {
                task.insert("output".to_owned(), output.clone());
            }
            if let Some(status) = scope.status(name) {
                task.insert("status".to_owned(), Value::from(status));
            }
            (name.clone(), Value::Object(task))
        });
        Value::Object(fields.collect())
    }

    /// The error in the words of the DSL; a missing field is named with the path that led to it.
    fn explain(&self, error: &cel::ExecutionError) -> ExpressionError {
        use cel::ExecutionError as E;
        ExpressionError(match error {
            E::NoSuchKey(key) => match self.place_of(key) {
                Some(place) => format!("'{place}' has no field '{key}' (test with 'has({place}.{key})')"),
                None => format!("no such field '{key}'"),
            },
            E::UndeclaredReference(name) => format!("unknown variable '{name}'"),
            E::NoSuchOverload(call) => {
                let operator = call.function().trim_matches(['_', '@']);
                format!(
                    "'{operator}' does not take ({})",
                    call.argument_types().join(", ")
                )
            }
            E::UnsupportedBinaryOperator(operator, left, right) => {
                format!(
                    "'{operator}' does not take ({}, {})",
                    left.type_of(),
                    right.type_of()
                )
            }
            E::FunctionError { message, .. } => shorten(message),
            other => shorten(&other.to_string()),
        })
    }

    /// The path of the first reference through `key`, up to it.
    fn place_of(&self, key: &str) -> Option<Reference> {
        self.0.references.iter().find_map(|reference| {
            let position = reference
                .path
                .iter()
                .position(|step| matches!(step, Step::Key(name) if name == key))?;
            let path = reference.path[..position].to_vec();
            Some(Reference {
                variable: reference.variable.clone(),
                path,
            })
        })
    }
}

/// Bounds a message that may quote whole values.
fn shorten(message: &str) -> String {
    const CHARS_MAX: usize = 200;
    match message.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message.to_owned(),
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.0.source)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.0.source == other.0.source
    }
}

const _: fn() = || {
    fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Expression>();
};

#[cfg(test)]
pub(super) mod tests;
