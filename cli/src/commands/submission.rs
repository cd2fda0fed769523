//! What `run`, `submit`, `plan` and `policy explain` send: a workflow file with inputs and metadata.

use std::io::Read;
use std::path::Path;

use orchestrator_core::workflow::{Limits, typed};
use orchestrator_engine::api::submission::SubmissionBody;
use serde_json::{Map, Value};

use crate::args::SubmissionArgs;
use crate::exit::{Exit, Failure};

/// A submission, read from files and flags.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Name of the file, for messages.
    pub file: String,
    /// Text of the workflow.
    pub text: String,
    /// The rest.
    pub body: SubmissionBody,
}

impl Submission {
    /// Reads everything the flags name.
    pub fn read(args: &SubmissionArgs) -> Result<Submission, Failure> {
        let text = read_text(&args.file)?;
        let mut inputs = match &args.inputs_file {
            Some(path) => read_object(path)?,
            None => Map::new(),
        };
        inputs.extend(pairs("--input", &args.inputs)?);
        let metadata = pairs("--metadata", &args.metadata)?;
        let body = SubmissionBody {
            inputs: (!inputs.is_empty()).then_some(Value::Object(inputs)),
            metadata: (!metadata.is_empty()).then_some(Value::Object(metadata)),
            client_id: args.client.clone(),
            priority: args.priority,
            ..SubmissionBody::default()
        };
        Ok(Submission {
            file: args.file.display().to_string(),
            text,
            body,
        })
    }

    /// The body of the request.
    pub fn to_json(&self) -> Vec<u8> {
        let body = SubmissionBody {
            dsl: Some(Value::String(self.text.clone())),
            ..self.body.clone()
        };
        serde_json::to_vec(&body).expect("bodies are plain data with text keys")
    }

    /// A failure whose faults are faults of the file says so: `file:line:column: code: message (remedy)`.
    pub fn locate(&self, failure: Failure) -> Failure {
        let details = failure
            .details
            .iter()
            .map(|fault| format!("{}:{}", self.file, fault_place(fault)));
        let details = details.collect();
        Failure { details, ..failure }
    }
}

/// `3:5: code: ...` stays as it is; a fault without a place gets a space after the file's colon.
fn fault_place(fault: &str) -> String {
    match fault.starts_with(|first: char| first.is_ascii_digit()) {
        true => fault.to_owned(),
        false => format!(" {fault}"),
    }
}

/// The text of a file, or of standard input for `-`.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = match path.to_str() {
        Some("-") => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| Failure::unavailable(format!("standard input cannot be read: {error}")))?;
            bytes
        }
        _ => std::fs::read(path).map_err(|error| Failure::file(path, &error))?,
    };
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(
            Exit::Usage,
            format!(
                "'{}' is not UTF-8 text at byte {at} (save it as UTF-8)",
                path.display()
            ),
        )
    })
}

fn read_object(path: &Path) -> Result<Map<String, Value>, Failure> {
    let text = read_text(path)?;
    let file = path.display().to_string();
    match typed::read::<Value>(&text, &Limits::local_file()) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Failure::usage(format!(
            "'{file}' is not an object (give names and values)"
        ))),
        Err(problems) => {
            let details = problems
                .iter()
                .map(|problem| problem.in_file(&file).to_string())
                .collect();
            Err(Failure::usage(format!("the inputs in '{file}' cannot be read")).with_details(details))
        }
    }
}

/// What a repeatable flag names.
pub fn pairs(flag: &str, pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    pairs.iter().map(|pair| name_and_value(flag, pair)).collect()
}

/// `name=value`; the value is JSON where it is JSON, otherwise text.
fn name_and_value(flag: &str, pair: &str) -> Result<(String, Value), Failure> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
            Ok((name.to_owned(), value))
        }
        _ => Err(Failure::usage(format!(
            "{flag} '{pair}' has no name and value (write {flag} name=value)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_json_where_they_can_be() {
        let cases = [
            ("a=1", json!(1)),
            ("a=true", json!(true)),
            ("a=x=y", json!("x=y")),
            ("a=[1]", json!([1])),
            ("a=", json!("")),
        ];
        for (pair, value) in cases {
            assert_eq!(
                name_and_value("--input", pair),
                Ok(("a".to_owned(), value)),
                "{pair}"
            );
        }
        assert_eq!(name_and_value("--input", "=1").unwrap_err().exit, Exit::Usage);
    }
}
