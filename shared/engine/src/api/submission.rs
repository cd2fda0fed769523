//! The body of a submission: the document itself, or the document with what a run of it gets.

use orchestrator_core::workflow::{Limits, typed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::{self, Format};
use super::problem::{Code, Fault, Problem};

/// The body of `POST /workflows`, when it is not the document itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Submission")]
pub struct SubmissionBody {
    /// The workflow: an object, or its YAML or JSON as a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsl: Option<Value>,
    /// Another name for `dsl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Value>,
    /// Instead of a workflow: what is to be done, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub natural_language: Option<String>,
    /// Instead of a workflow: the plan of a text, as it was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_token: Option<String>,
    /// Values of the workflow's inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
    /// Facts about the run for the policy (`urgent`, `dataset_size`, ...).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// On whose behalf; only an operator may name another client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// 1 to 10, 10 most urgent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// `run` (default) or `plan` (default of a text).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// What is to be done with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Start a run.
    Run,
    /// Tell what a run would do.
    Plan,
}

/// A body taken apart: the document's text, where it begins in the body, and the rest.
pub(super) struct Wrapped {
    /// The document.
    pub text: Vec<u8>,
    /// Lines and columns of the body before the document.
    offset: (u32, u32),
    /// Everything else.
    pub rest: SubmissionBody,
}

impl Wrapped {
    /// Takes a body apart.
    pub fn read(body: &[u8], format: Format, limits: &Limits) -> Result<Wrapped, Problem> {
        let wrapped = match format {
            Format::Json => Wrapped::of_json(body)?,
            Format::Yaml => Wrapped::of_yaml(body, limits)?,
        };
        Ok(wrapped.unwrap_or_else(|| Wrapped {
            text: body.to_vec(),
            offset: (0, 0),
            rest: SubmissionBody::default(),
        }))
    }

    /// `None`: the body is the document itself.
    fn of_json(body: &[u8]) -> Result<Option<Wrapped>, Problem> {
        #[derive(Deserialize)]
        struct Peek<'a> {
            #[serde(borrow)]
            dsl: Option<&'a RawValue>,
            #[serde(borrow)]
            workflow: Option<&'a RawValue>,
            tasks: Option<serde::de::IgnoredAny>,
            natural_language: Option<serde::de::IgnoredAny>,
            plan_token: Option<serde::de::IgnoredAny>,
        }
        let Ok(peek) = serde_json::from_slice::<Peek<'_>>(body) else {
            return Ok(None);
        };
        let document = match (peek.dsl, peek.workflow, peek.tasks) {
            (Some(document), _, _) | (None, Some(document), None) => document.get(),
            (None, None, None) if peek.natural_language.is_some() || peek.plan_token.is_some() => "",
            _ => return Ok(None),
        };
        let mut rest: SubmissionBody =
            serde_json::from_slice(body).map_err(|error| body::malformed(&error))?;
        refuse_both(&rest)?;
        match rest.dsl.take().or(rest.workflow.take()) {
            None => Ok(Some(Wrapped {
                text: Vec::new(),
                offset: (0, 0),
                rest,
            })),
            Some(Value::String(text)) => Ok(Some(Wrapped {
                text: text.into_bytes(),
                offset: (0, 0),
                rest,
            })),
            _ => {
                let offset = position(body, document.as_ptr() as usize - body.as_ptr() as usize);
                Ok(Some(Wrapped {
                    text: document.as_bytes().to_vec(),
                    offset,
                    rest,
                }))
            }
        }
    }

    fn of_yaml(body: &[u8], limits: &Limits) -> Result<Option<Wrapped>, Problem> {
        let Ok(text) = std::str::from_utf8(body) else {
            return Ok(None);
        };
        let has = |key: &str| text.lines().any(|line| line.starts_with(key));
        let is_text = (has("natural_language:") || has("plan_token:")) && !has("tasks:");
        if !is_text && !has("dsl:") && (!has("workflow:") || has("tasks:")) {
            return Ok(None);
        }
        let mut rest: SubmissionBody = typed::read(text, limits).map_err(|problems| {
            let faults = problems.iter().map(Fault::of_typed).collect();
            Problem {
                errors: faults,
                ..Problem::new(Code::Malformed, "the body cannot be read")
            }
        })?;
        refuse_both(&rest)?;
        let text = match rest.dsl.take().or(rest.workflow.take()) {
            Some(Value::String(text)) => text.into_bytes(),
            Some(document) => document.to_string().into_bytes(),
            None => Vec::new(),
        };
        Ok(Some(Wrapped {
            text,
            offset: (0, 0),
            rest,
        }))
    }

    /// Whether there is neither a document nor a text: an object without any key of one.
    pub fn says_nothing(&self) -> bool {
        const KEYS: [&str; 4] = ["tasks", "workflow", "dsl", "name"];
        let object: Result<serde_json::Map<String, Value>, _> = serde_json::from_slice(&self.text);
        object.is_ok_and(|object| !KEYS.iter().any(|key| object.contains_key(*key)))
    }

    /// A document with what a run of it gets.
    pub fn of_document(document: &Value, rest: SubmissionBody) -> Wrapped {
        Wrapped {
            text: document.to_string().into_bytes(),
            offset: (0, 0),
            rest,
        }
    }

    /// Where a place of the document is in the body.
    pub fn shift(&self, mut fault: Fault) -> Fault {
        if let (Some(line), Some(column)) = (fault.line, fault.column) {
            fault.column = Some(if line == 1 { column + self.offset.1 } else { column });
            fault.line = Some(line + self.offset.0);
        }
        fault
    }
}

fn refuse_both(rest: &SubmissionBody) -> Result<(), Problem> {
    let given = [
        ("dsl", rest.dsl.is_some()),
        ("workflow", rest.workflow.is_some()),
        ("natural_language", rest.natural_language.is_some()),
        ("plan_token", rest.plan_token.is_some()),
    ];
    let mut given = given
        .iter()
        .filter(|(_, is_given)| *is_given)
        .map(|(name, _)| *name);
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => {
            let detail = format!("the body has both '{first}' and '{second}' (give one)");
            Err(Problem::new(Code::Malformed, detail))
        }
        _ => Ok(()),
    }
}

fn position(body: &[u8], offset: usize) -> (u32, u32) {
    let before = &body[..offset];
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let columns = String::from_utf8_lossy(&before[line_start..]).chars().count();
    (
        u32::try_from(lines).unwrap_or(u32::MAX),
        u32::try_from(columns).unwrap_or(u32::MAX),
    )
}
