//! The document as a whole.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{Fields, Place, wrong_type};
use super::graph::Graph;
use super::references;
use super::report::Report;
use super::sla;
use super::task::{self, Source};
use super::values::{NAME_RULE, is_name, priority, quote, seconds, text, title};
use crate::workflow::definition::{Header, Task, Workflow};
use crate::workflow::document::{Content, Node};
use crate::workflow::limits::Limits;
use crate::workflow::problem::Code;

const KEYS: [&str; 7] = [
    "name",
    "description",
    "client_id",
    "priority",
    "sla",
    "inputs",
    "tasks",
];
const WRAPPER_KEYS: [&str; 3] = ["workflow", "inputs", "tasks"];
const WRAPPED_KEYS: [&str; 7] = [
    "name",
    "description",
    "client_id",
    "priority",
    "sla",
    "sla_minutes",
    "inputs",
];
const INPUT_KEYS: [&str; 3] = ["default", "required", "description"];

static TASKS: Place<'static> = Place::Key(&Place::Root, "tasks");

/// Reads and checks the whole document.
pub(super) fn read(root: &Node<'_>, limits: &Limits, report: &mut Report) -> Option<Workflow> {
    let is_wrapped = root
        .get("workflow")
        .is_some_and(|inner| matches!(inner.content, Content::Object(_)));
    let (header, tasks) = if is_wrapped {
        let outer = Fields::of(root, Place::Root, &WRAPPER_KEYS, report)?;
        let mut header = outer.read("workflow", report, wrapped_header).unwrap_or_default();
        header
            .inputs
            .extend(outer.read("inputs", report, inputs).unwrap_or_default());
        (
            header,
            outer.require("tasks", report, |node, _, report| tasks(node, limits, report)),
        )
    } else {
        let fields = Fields::of(root, Place::Root, &KEYS, report)?;
        (
            read_header(&fields, report),
            fields.require("tasks", report, |node, _, report| tasks(node, limits, report)),
        )
    };
    let (mut tasks, sources) = tasks?;
    let graph = Graph::link(&mut tasks, &sources, report);
    references::check(&tasks, &sources, &graph, &header.inputs, report);
    graph.report_dead_tasks(&tasks, &sources, report);
    if report.has_errors() {
        None
    } else {
        Some(Workflow::assemble(header, tasks))
    }
}

fn wrapped_header(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<Header> {
    let fields = Fields::of(node, *place, &WRAPPED_KEYS, report)?;
    let mut header = read_header(&fields, report);
    if let Some(minutes) = fields.read("sla_minutes", report, seconds) {
        header.sla.workflow_max_seconds.get_or_insert(minutes * 60.0);
    }
    Some(header)
}

fn read_header<const N: usize>(fields: &Fields<'_, '_, N>, report: &mut Report) -> Header {
    Header {
        name: fields.require("name", report, title).unwrap_or_default(),
        description: fields.read("description", report, text).map(str::to_owned),
        client_id: fields.read("client_id", report, title),
        priority: fields.read("priority", report, priority),
        sla: fields.read("sla", report, sla::of_workflow).unwrap_or_default(),
        inputs: fields.read("inputs", report, inputs).unwrap_or_default(),
    }
}

fn inputs(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<BTreeMap<String, Value>> {
    let Content::Object(entries) = &node.content else {
        wrong_type(node, place, "an object of names with default values", report);
        return None;
    };
    let mut inputs = BTreeMap::new();
    for entry in entries {
        let place = Place::Key(place, &entry.key);
        if !is_name(&entry.key) {
            let message = format!("{} is not a valid name of an input", quote(&entry.key));
            report.error(entry.key_at, Code::BadValue, &place, message, NAME_RULE);
        }
        inputs.insert(entry.key.to_string(), default_value(&entry.value, &place, report));
    }
    Some(inputs)
}

/// Whether this value of an input would be read as its declaration.
pub(in crate::workflow) fn is_input_declaration(value: &Value) -> bool {
    value.get("default").is_some() || value.get("required").is_some()
}

/// The default of an input; `null` when it must be given. An object with `default` or `required` is a declaration,
/// any other value is the default itself.
fn default_value(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Value {
    if node.get("default").is_none() && node.get("required").is_none() {
        return node.to_json();
    }
    let Some(fields) = Fields::of(node, *place, &INPUT_KEYS, report) else {
        return Value::Null;
    };
    fields.read("description", report, text);
    let required = fields.read("required", report, super::values::boolean);
    let default = fields.get("default").map_or(Value::Null, Node::to_json);
    if required == Some(false) && default.is_null() {
        let message = format!("'{place}' is neither required nor has it a default");
        report.error(
            fields.at(),
            Code::BadValue,
            fields.place(),
            message,
            "give it a 'default'",
        );
    }
    if required == Some(true) && !default.is_null() {
        let message = format!("'{place}' is required and has a default");
        report.error(
            fields.at(),
            Code::BadValue,
            fields.place(),
            message,
            "remove one of them",
        );
    }
    default
}

/// The tasks, and in the same order where they come from.
type Tasks<'n, 'a> = (Vec<Task>, Vec<Source<'n, 'a>>);

fn tasks<'n, 'a>(node: &'n Node<'a>, limits: &Limits, report: &mut Report) -> Option<Tasks<'n, 'a>> {
    let count = match &node.content {
        Content::List(items) => items.len(),
        Content::Object(entries) => entries.len(),
        _ => {
            wrong_type(
                node,
                &TASKS,
                "a list of tasks, or an object of ids with tasks",
                report,
            );
            return None;
        }
    };
    if count == 0 {
        report.error(
            node.at,
            Code::BadValue,
            &TASKS,
            "there are no tasks",
            "add at least one",
        );
        return None;
    }
    if count > limits.task_count {
        let message = format!(
            "there are {count} tasks, more than the {} allowed",
            limits.task_count
        );
        report.error(
            node.at,
            Code::Limit,
            &TASKS,
            message,
            "split the workflow, or raise 'max_task_count'",
        );
        return None;
    }
    let (mut tasks, mut sources) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut add = |(task, source)| {
        tasks.push(task);
        sources.push(source);
    };
    match &node.content {
        Content::Object(entries) => {
            for entry in entries {
                let place = Place::Key(&TASKS, entry.key.as_ref());
                task::read(
                    &entry.value,
                    place,
                    Some((entry.key.as_ref(), entry.key_at)),
                    report,
                )
                .map(&mut add);
            }
        }
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                task::read(item, Place::Index(&TASKS, index), None, report).map(&mut add);
            }
        }
        _ => {}
    }
    Some((tasks, sources))
}
