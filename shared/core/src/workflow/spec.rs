//! The DSL as data: the JSON Schema for editors, and the canonical form that a run's journal refers to.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Value, json};

use super::definition::{Compensation, OnDenied, ResourceSpec, RetrySpec, Task, Trigger, Workflow};
use super::limits::Limits;
use super::problem::Problem;
use super::validate::{NAME_CHARS_MAX, PRIORITIES, is_input_declaration, parse};
use crate::sla::SlaSpec;

/// A workflow: tasks that depend on each other.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Workflow")]
struct WorkflowSpec<'a> {
    /// Name of the workflow.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    name: &'a str,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// On whose behalf it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    /// Priority of its tasks: 1 to 10, 10 most urgent, or a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "priority_schema")]
    priority: Option<u8>,
    /// Deadlines.
    #[serde(skip_serializing_if = "is_default")]
    sla: SlaSpec,
    /// Values that may be given when a run is started, with their defaults. `null` or `{required: true}`: must be given.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Value>")]
    inputs: BTreeMap<&'a str, Cow<'a, Value>>,
    /// The tasks: a list, or an object from ids to tasks.
    #[schemars(schema_with = "tasks_schema")]
    tasks: Vec<TaskSpec<'a>>,
}

/// One task.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Task")]
struct TaskSpec<'a> {
    /// Unique within the workflow. Not needed when `tasks` is an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "name_schema")]
    id: Option<&'a str>,
    /// Accepted instead of `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "name_schema")]
    name: Option<&'a str>,
    /// The agent that does the task.
    #[schemars(schema_with = "name_schema")]
    agent: &'a str,
    /// What the agent is asked to do.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    action: &'a str,
    /// Parameters of the action. Texts may hold references such as `${inputs.x}` or `${tasks.load.output.path}`.
    #[serde(skip_serializing_if = "is_empty_object")]
    #[schemars(with = "BTreeMap<String, Value>")]
    params: &'a Value,
    /// The tasks that must end before this one: an id or a list of ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "names_schema")]
    depends_on: Vec<&'a str>,
    /// CEL condition; the task is skipped when it is false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "condition_schema")]
    when: Option<&'a str>,
    /// CEL expression that gives a list, or a list: the task runs once for each element.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "list_schema")]
    for_each: Option<&'a str>,
    /// Which results of `depends_on` let the task run.
    #[serde(skip_serializing_if = "is_default")]
    trigger: Trigger,
    /// Retry settings.
    #[serde(skip_serializing_if = "is_default")]
    retry: RetrySpec,
    /// Longest run time of one attempt: a number of seconds, or a text such as `30s`, `5m`, `1h30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration_schema")]
    timeout: Option<String>,
    /// Wanted resources.
    #[serde(skip_serializing_if = "is_default")]
    resources: ResourceSpec,
    /// Priority: 1 to 10, 10 most urgent, or a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "priority_schema")]
    priority: Option<u8>,
    /// Concurrency pools to hold a slot of: a name or a list of names.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schemars(schema_with = "names_schema")]
    pools: &'a [String],
    /// What happens when the policy denies the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_denied: Option<OnDenied>,
    /// Action that undoes the task on rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    compensate: Option<CompensationSpec<'a>>,
    /// Whether the result may be reused for the same agent, action and parameters.
    #[serde(skip_serializing_if = "is_default")]
    cache: bool,
    /// Deadlines of this task.
    #[serde(skip_serializing_if = "is_default")]
    sla: SlaSpec,
}

/// An action that undoes a task.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Compensation")]
struct CompensationSpec<'a> {
    /// The agent; the task's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "name_schema")]
    agent: Option<&'a str>,
    /// The action.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    action: &'a str,
    /// Its parameters; may refer to the task's own output.
    #[serde(skip_serializing_if = "is_empty_object")]
    #[schemars(with = "BTreeMap<String, Value>")]
    params: &'a Value,
}

impl Workflow {
    /// The workflow as JSON in a fixed form: keys in a fixed order, defaults left out. Equal workflows, however they
    /// were written, have equal bytes.
    pub fn canonical(&self) -> Vec<u8> {
        let spec = WorkflowSpec {
            name: &self.name,
            description: self.description.as_deref(),
            client_id: self.client_id.as_deref(),
            priority: self.priority,
            sla: self.sla,
            inputs: self
                .inputs
                .iter()
                .map(|(name, default)| (name.as_str(), declare(default)))
                .collect(),
            tasks: self.tasks.iter().map(|task| self.task_spec(task)).collect(),
        };
        serde_json::to_vec(&spec).expect("texts, numbers and objects with text keys can be written as JSON")
    }

    /// The inverse of [`Workflow::canonical`].
    ///
    /// # Errors
    /// When `bytes` are not a canonical workflow.
    pub fn from_canonical(bytes: &[u8]) -> Result<Workflow, Vec<Problem>> {
        parse(bytes, &Limits::canonical()).workflow
    }

    fn task_spec<'a>(&'a self, task: &'a Task) -> TaskSpec<'a> {
        TaskSpec {
            id: Some(&task.id),
            name: None,
            agent: &task.agent,
            action: &task.action,
            params: task.params.raw(),
            depends_on: task
                .depends_on
                .iter()
                .map(|node| self.task(*node).id.as_str())
                .collect(),
            when: task.when.as_ref().map(|when| when.source()),
            for_each: task.for_each.as_ref().map(|list| list.source()),
            trigger: task.trigger,
            retry: task.retry,
            timeout: task.timeout_ms.map(|milliseconds| format!("{milliseconds}ms")),
            resources: task.resources,
            priority: task.priority,
            pools: &task.pools,
            on_denied: task.on_denied,
            compensate: task.compensate.as_ref().map(compensation_spec),
            cache: task.cache,
            sla: task.sla,
        }
    }
}

fn compensation_spec(compensation: &Compensation) -> CompensationSpec<'_> {
    let Compensation {
        agent,
        action,
        params,
    } = compensation;
    CompensationSpec {
        agent: Some(agent),
        action,
        params: params.raw(),
    }
}

/// A default that would be mistaken for a declaration is written as one.
fn declare(default: &Value) -> Cow<'_, Value> {
    if is_input_declaration(default) {
        Cow::Owned(json!({ "default": default }))
    } else {
        Cow::Borrowed(default)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_empty_object(value: &&Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// The JSON Schema of workflow documents, for editors. It accepts every valid document; validation checks more.
pub fn json_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let workflow = generator.subschema_for::<WorkflowSpec<'_>>();
    let sla = generator.subschema_for::<SlaSpec>();
    let tasks = tasks_schema(&mut generator);
    let text = json!({"type": "string"});
    let priority = priority_schema(&mut generator);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Master Orchestrator workflow",
        "anyOf": [
            workflow,
            {
                "description": "The same with the workflow's own keys in an object of their own.",
                "type": "object",
                "properties": {
                    "workflow": {
                        "type": "object",
                        "properties": {
                            "name": text, "description": text, "client_id": text, "priority": priority, "sla": sla,
                            "sla_minutes": {"type": "number", "exclusiveMinimum": 0}, "inputs": {"type": "object"},
                        },
                        "required": ["name"],
                        "additionalProperties": false,
                    },
                    "inputs": {"type": "object"},
                    "tasks": tasks,
                },
                "required": ["workflow", "tasks"],
                "additionalProperties": false,
            },
        ],
        "$defs": generator.take_definitions(true),
    })
}

fn name_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", "maxLength": NAME_CHARS_MAX})
}

fn names_schema(generator: &mut SchemaGenerator) -> Schema {
    let name = name_schema(generator);
    json_schema!({"anyOf": [name, {"type": "array", "items": name}]})
}

fn priority_schema(_: &mut SchemaGenerator) -> Schema {
    let words = PRIORITIES.map(|(word, _)| word);
    json_schema!({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 10}, {"type": "string", "enum": words}]})
}

fn condition_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "boolean"]})
}

fn list_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "array"]})
}

fn duration_schema(_: &mut SchemaGenerator) -> Schema {
    let text = json!({"type": "string", "pattern": "^([0-9.]+(ms|s|m|h|d))+$"});
    json_schema!({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, text]})
}

fn tasks_schema(generator: &mut SchemaGenerator) -> Schema {
    let task = generator.subschema_for::<TaskSpec<'_>>();
    json_schema!({"anyOf": [
        {"type": "array", "minItems": 1, "items": task},
        {"type": "object", "minProperties": 1, "additionalProperties": task},
    ]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_up_to_date() {
        let published: Value =
            serde_json::from_str(include_str!("../../../../docs/workflow.schema.json")).unwrap();
        assert!(
            published == json_schema(),
            "docs/workflow.schema.json is out of date (run 'cargo xtask schema')"
        );
    }
}
