//! What a translator answers: a small closed form, so that an answer can say nothing that was not foreseen.
//!
//! A drafted task has an agent, an action, parameters and dependencies. Resources, priorities of tasks, retries, conditions, pools
//! and what happens on denial are not a translator's to choose: a document of a person may set them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// What the request comes to.
    pub status: Status,
    /// How sure the translator is that this is what was meant, 0 to 1.
    pub confidence: f64,
    /// Why there is no workflow, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What whoever reads the plan should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The workflow, with status `workflow` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<DraftWorkflow>,
}

/// What a request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A workflow.
    Workflow,
    /// It can be understood in several ways.
    Ambiguous,
    /// No agent can do it.
    Impossible,
    /// It asks for something it must not get.
    Refused,
}

/// A drafted workflow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftWorkflow {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Values that a run takes, with their defaults; `null`: must be given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Value>,
    /// Its tasks.
    pub tasks: Vec<DraftTask>,
}

/// A drafted task.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftTask {
    /// Its name, unique in the workflow.
    pub id: String,
    /// An agent of the catalogue.
    pub agent: String,
    /// An action of the agent.
    pub action: String,
    /// Parameters of the action; texts may refer to outputs, as in `${tasks.load.output.path}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// Names of the tasks that have to succeed before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

/// Longest answer that is read, bytes.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

impl Draft {
    /// Reads an answer: one JSON object, alone or in one fenced block, as models like to write it.
    ///
    /// # Errors
    /// With what is wrong, for whoever wrote it.
    pub fn read(answer: &str) -> Result<Draft, String> {
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(format!(
                "the answer has {} bytes, of at most {ANSWER_BYTES_MAX}; answer with the JSON object only",
                answer.len()
            ));
        }
        let text = unfenced(answer.trim());
        serde_json::from_str(text)
            .map_err(|error| format!("the answer is not the JSON object that was asked for: {error}"))
    }

    /// An answer without a workflow.
    pub fn without(status: Status, confidence: f64, reason: impl Into<String>) -> Draft {
        Draft {
            status,
            confidence,
            reason: reason.into(),
            notes: Vec::new(),
            workflow: None,
        }
    }
}

fn unfenced(text: &str) -> &str {
    let inner = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"))
        .filter(|inner| !inner.contains("```"));
    match inner {
        Some(inner) => inner.strip_prefix("json").unwrap_or(inner).trim(),
        None => text,
    }
}

/// The JSON Schema of an answer, for models that can be held to one.
pub fn json_schema() -> Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<Draft>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_object_of_the_closed_form() {
        let good = r#"{"status": "impossible", "confidence": 0.9, "reason": "no agent flies"}"#;
        assert!(Draft::read(good).is_ok());
        assert!(Draft::read(&format!("```json\n{good}\n```")).is_ok());
        for bad in [
            "",
            "Sure! Here it is: {}",
            "{\"status\": \"workflow\", \"confidence\": 1, \"run_now\": true}",
            "{\"status\": \"workflow\", \"confidence\": 1, \"workflow\": {\"name\": \"x\", \"tasks\": [{\"id\": \"a\", \"agent\": \"b\", \"action\": \"c\", \"resources\": {\"class\": \"gpu\"}}]}}",
        ] {
            assert!(Draft::read(bad).is_err(), "{bad}");
        }
        assert!(Draft::read(&" ".repeat(ANSWER_BYTES_MAX + 1)).is_err());
    }
}
