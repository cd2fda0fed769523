//! The inputs of one run.

use serde_json::{Map, Value};

use super::definition::Workflow;
use super::problem::{Code, Problem, Severity};
use super::reference::describe;
use super::validate::nearest;

impl Workflow {
    /// The inputs of a run: what was given, and the defaults of the rest.
    ///
    /// # Errors
    /// With every input that is unknown, missing, or of another type than its default.
    pub fn bind_inputs(&self, given: &Map<String, Value>) -> Result<Value, Vec<Problem>> {
        let mut problems = Vec::new();
        for name in given.keys().filter(|name| !self.inputs.contains_key(*name)) {
            let remedy = match nearest(name, self.inputs.keys().map(String::as_str)) {
                Some(known) => format!("did you mean '{known}'?"),
                None if self.inputs.is_empty() => "the workflow has no inputs".to_owned(),
                None => {
                    let known: Vec<&str> = self.inputs.keys().map(String::as_str).collect();
                    format!("known are {}", known.join(", "))
                }
            };
            problems.push(problem(
                Code::UnknownInput,
                name,
                format!("unknown input '{name}'"),
                remedy,
            ));
        }
        let mut bound = Map::new();
        for (name, default) in &self.inputs {
            let value = match given.get(name) {
                None | Some(Value::Null) => default,
                Some(value) => value,
            };
            if value.is_null() {
                let message = format!("the input '{name}' is missing");
                problems.push(problem(
                    Code::MissingInput,
                    name,
                    message,
                    "it has no default: give it a value".to_owned(),
                ));
            } else if !default.is_null() && std::mem::discriminant(default) != std::mem::discriminant(value) {
                let message = format!("the input '{name}' is {}", describe(value));
                let remedy = format!("its default is {}", describe(default));
                problems.push(problem(Code::InputType, name, message, remedy));
            }
            bound.insert(name.clone(), value.clone());
        }
        if problems.is_empty() {
            Ok(Value::Object(bound))
        } else {
            Err(problems)
        }
    }
}

fn problem(code: Code, name: &str, message: String, remedy: String) -> Problem {
    Problem {
        code,
        severity: Severity::Error,
        path: format!("inputs.{name}"),
        location: None,
        message,
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::workflow::{Limits, parse};

    fn bind(given: serde_json::Value) -> Result<serde_json::Value, Vec<String>> {
        let document = "
name: w
inputs: {rows: 10, path: {required: true}, options: {default: {default: 1}}, ratio: 0.5}
tasks: [{id: a, agent: noop, action: run}]
";
        let workflow = parse(document.as_bytes(), &Limits::api()).workflow.unwrap();
        let bound = workflow.bind_inputs(given.as_object().unwrap());
        bound.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn defaults_fill_what_is_not_given() {
        let expected = json!({"rows": 20.5, "path": "a.csv", "options": {"default": 1}, "ratio": 0.5});
        assert_eq!(
            bind(json!({"rows": 20.5, "path": "a.csv", "ratio": null})),
            Ok(expected)
        );
    }

    #[test]
    fn every_input_that_does_not_fit_is_a_problem() {
        assert_eq!(
            bind(json!({"row": 1, "rows": "many", "options": [1]})).unwrap_err(),
            [
                "dsl.unknown-input: unknown input 'row' (did you mean 'rows'?)",
                "dsl.input-type: the input 'options' is a list of 1 (its default is an object)",
                "dsl.missing-input: the input 'path' is missing (it has no default: give it a value)",
                "dsl.input-type: the input 'rows' is a text (its default is a number)",
            ]
        );
    }
}
