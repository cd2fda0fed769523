//! Tasks held against the catalogue: known actions, known parameters, values that fit, outputs that exist.

use orchestrator_core::workflow::Workflow;
use serde_json::{Map, Value};

use super::{Action, Agent, Catalogue, Format, Kind, Param};

/// Something a workflow asks for that the catalogue does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code: `dsl.unknown-action` or `dsl.bad-params`.
    pub code: &'static str,
    /// Where in the document, as in `tasks[2].params.folds`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// How to put it right.
    pub remedy: String,
}

/// Names shown in a remedy.
const SHOWN_MAX: usize = 20;
/// Findings told of one workflow.
const FINDINGS_MAX: usize = 100;
/// Depth of values that are looked through for references; documents are no deeper.
const DEPTH_MAX: usize = 100;

pub(super) fn check(catalogue: &Catalogue, workflow: &Workflow) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, task) in workflow.tasks.iter().enumerate() {
        let Some(agent) = catalogue
            .agents
            .get(&task.agent)
            .filter(|agent| !agent.actions.is_empty())
        else {
            continue;
        };
        let at = format!("tasks[{index}]");
        match agent.actions.get(&task.action) {
            None => findings.push(unknown_action(&at, &task.agent, agent, &task.action)),
            Some(action) => {
                let none = Map::new();
                let params = task.params.raw().as_object().unwrap_or(&none);
                findings.extend(of_params(&format!("{at}.params"), &task.action, action, params));
                findings.extend(of_outputs(
                    catalogue,
                    workflow,
                    &format!("{at}.params"),
                    task.params.raw(),
                ));
            }
        }
        if let Some(undo) = &task.compensate
            && let Some(agent) = catalogue
                .agents
                .get(&undo.agent)
                .filter(|agent| !agent.actions.is_empty())
            && !agent.actions.contains_key(&undo.action)
        {
            findings.push(unknown_action(
                &format!("{at}.compensate"),
                &undo.agent,
                agent,
                &undo.action,
            ));
        }
        if findings.len() >= FINDINGS_MAX {
            findings.truncate(FINDINGS_MAX);
            break;
        }
    }
    findings
}

fn unknown_action(at: &str, name: &str, agent: &Agent, action: &str) -> Finding {
    let known: Vec<&str> = agent.actions.keys().take(SHOWN_MAX).map(String::as_str).collect();
    Finding {
        code: "dsl.unknown-action",
        path: format!("{at}.action"),
        message: format!("agent '{name}' has no action '{}'", short(action)),
        remedy: format!("it has {} (see 'orchestrator agents')", known.join(", ")),
    }
}

fn of_params(at: &str, name: &str, action: &Action, params: &Map<String, Value>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |path: String, message: String, remedy: String| {
        findings.push(Finding {
            code: "dsl.bad-params",
            path,
            message,
            remedy,
        });
    };
    for (key, value) in params {
        let path = format!("{at}.{key}");
        let Some(param) = action.params.get(key) else {
            let known: Vec<&str> = action.params.keys().take(SHOWN_MAX).map(String::as_str).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            find(
                path,
                format!("action '{name}' has no parameter '{}'", short(key)),
                format!("its parameters are {known}"),
            );
            continue;
        };
        if let Some(fault) = value_fault(param, value) {
            find(
                path,
                format!("parameter '{key}' of '{name}': {fault}"),
                param.description.clone(),
            );
        }
    }
    for (key, param) in &action.params {
        if param.is_required() && !params.contains_key(key) {
            find(
                at.to_owned(),
                format!("action '{name}' needs the parameter '{key}'"),
                param.description.clone(),
            );
        }
    }
    findings
}

/// What is wrong with a value; references have no value yet and fit everything.
pub(super) fn value_fault(param: &Param, value: &Value) -> Option<String> {
    if has_reference(value, 0) {
        return None;
    }
    let fits = match (param.kind, value) {
        (None, _)
        | (Some(Kind::String), Value::String(_))
        | (Some(Kind::Number), Value::Number(_))
        | (Some(Kind::Boolean), Value::Bool(_))
        | (Some(Kind::List), Value::Array(_))
        | (Some(Kind::Object), Value::Object(_)) => true,
        (Some(Kind::Integer), Value::Number(number)) => {
            number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    };
    let shown = short(&value.to_string());
    if !fits {
        let kind = param.kind.map_or("any", Kind::as_str);
        return Some(format!("'{shown}' is not of type {kind}"));
    }
    if !param.values.is_empty() && !param.values.contains(value) {
        let values: Vec<String> = param
            .values
            .iter()
            .take(SHOWN_MAX)
            .map(Value::to_string)
            .collect();
        return Some(format!("'{shown}' is none of {}", values.join(", ")));
    }
    if let Some(number) = value.as_f64() {
        let (minimum, maximum) = (
            param.minimum.unwrap_or(f64::MIN),
            param.maximum.unwrap_or(f64::MAX),
        );
        if number < minimum {
            return Some(format!("'{shown}' is below {minimum}"));
        }
        if number > maximum {
            return Some(format!("'{shown}' is above {maximum}"));
        }
    }
    let text = value.as_str()?;
    match param.format? {
        Format::Path => path_fault(text),
        Format::Email => {
            let (name, host) = text.split_once('@').unwrap_or_default();
            let is_plain = |part: &str| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
            };
            (!is_plain(name) || !is_plain(host)).then(|| format!("'{}' is no address for mail", short(text)))
        }
    }
}

/// What is wrong with the path of a file of data.
fn path_fault(text: &str) -> Option<String> {
    const SYSTEM: [&str; 9] = ["bin", "boot", "dev", "etc", "proc", "root", "run", "sys", "usr"];
    let refuse = |why: &str| Some(format!("'{}' {why} (name a file of data)", short(text)));
    if text.is_empty() || text.contains(|c: char| c.is_control() || "\\`$|;<>\"'".contains(c)) {
        return refuse("is empty or has characters that no path of data needs");
    }
    let path = match text.split_once("://") {
        Some(("s3" | "gs" | "https", rest)) if !rest.is_empty() => rest,
        Some(_) => return refuse("is an address of another kind than s3://, gs:// and https://"),
        None => text,
    };
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    if text == path && text.starts_with('/') {
        let top = parts.clone().next().unwrap_or_default();
        if SYSTEM.contains(&top) || path.starts_with("/var/run") {
            return refuse("is in a folder of the system");
        }
    }
    if path.starts_with('~') || parts.any(|part| part.starts_with('.')) {
        return refuse("leads upwards or to a hidden file");
    }
    None
}

fn has_reference(value: &Value, depth: usize) -> bool {
    match value {
        _ if depth > DEPTH_MAX => true,
        Value::String(text) => text.replace("$${", "").contains("${"),
        Value::Array(items) => items.iter().any(|item| has_reference(item, depth + 1)),
        Value::Object(map) => map.values().any(|item| has_reference(item, depth + 1)),
        _ => false,
    }
}

/// References to outputs that an action does not have.
fn of_outputs(catalogue: &Catalogue, workflow: &Workflow, at: &str, params: &Value) -> Vec<Finding> {
    let mut texts = Vec::new();
    collect_texts(params, at, 0, &mut texts);
    let mut findings = Vec::new();
    for (path, text) in texts {
        for reference in text.split("${tasks.").skip(1) {
            let reference = reference.split('}').next().unwrap_or_default();
            let Some((task, output)) = reference.split_once(".output.") else {
                continue;
            };
            let output = output.split(['.', '[']).next().unwrap_or_default();
            let Some(task) = workflow.find(task).map(|node| workflow.task(node)) else {
                continue;
            };
            let Some(action) = catalogue.action(&task.agent, &task.action) else {
                continue;
            };
            if task.for_each.is_none() && !action.outputs.is_empty() && !action.outputs.contains_key(output) {
                let known: Vec<&str> = action
                    .outputs
                    .keys()
                    .take(SHOWN_MAX)
                    .map(String::as_str)
                    .collect();
                findings.push(Finding {
                    code: "dsl.bad-params",
                    path: path.clone(),
                    message: format!("task '{}' puts out no '{}'", task.id, short(output)),
                    remedy: format!("'{}' puts out {}", task.action, known.join(", ")),
                });
            }
        }
    }
    findings
}

fn collect_texts<'v>(value: &'v Value, at: &str, depth: usize, texts: &mut Vec<(String, &'v str)>) {
    match value {
        _ if depth > DEPTH_MAX => {}
        Value::String(text) => texts.push((at.to_owned(), text)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_texts(item, &format!("{at}[{index}]"), depth + 1, texts);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                collect_texts(item, &format!("{at}.{key}"), depth + 1, texts);
            }
        }
        _ => {}
    }
}

/// The beginning of a text, for messages.
pub(crate) fn short(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}...", &text[..at]),
    }
}

impl Kind {
    /// The name in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Number => "number",
            Kind::Integer => "integer",
            Kind::Boolean => "boolean",
            Kind::List => "list",
            Kind::Object => "object",
        }
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::workflow::{Limits, parse};

    use super::super::Shipped;
    use super::*;

    fn findings(tasks: &str) -> Vec<String> {
        let text = format!("name: w\ntasks:\n{tasks}");
        let workflow = parse(text.as_bytes(), &Limits::api()).workflow.unwrap();
        let found = Shipped::DataScience.catalogue().check(&workflow);
        found
            .into_iter()
            .map(|finding| format!("{}: {}", finding.path, finding.message))
            .collect()
    }

    #[test]
    fn tasks_are_held_against_the_catalogue() {
        let load = "  - {id: a, agent: data_agent, action: load_dataset, params: {path: data/x.csv}}\n";
        assert!(findings(load).is_empty());
        // Agents that are not in the catalogue take any action.
        assert!(findings("  - {id: a, agent: noop, action: x, params: {y: 1}}\n").is_empty());
        let cases = [
            (
                "  - {id: a, agent: data_agent, action: fly}\n",
                "tasks[0].action: agent 'data_agent' has no action 'fly'",
            ),
            (
                "  - {id: a, agent: data_agent, action: load_dataset}\n",
                "tasks[0].params: action 'load_dataset' needs the parameter 'path'",
            ),
            (
                "  - {id: a, agent: data_agent, action: load_dataset, params: {path: x.csv, up: 1}}\n",
                "tasks[0].params.up: action 'load_dataset' has no parameter 'up'",
            ),
            (
                "  - {id: a, agent: data_agent, action: load_dataset, params: {path: 7}}\n",
                "tasks[0].params.path: parameter 'path' of 'load_dataset': '7' is not of type string",
            ),
            (
                "  - {id: a, agent: ml_agent, action: train_model, params: {folds: 1}}\n",
                "tasks[0].params.folds: parameter 'folds' of 'train_model': '1' is below 2",
            ),
        ];
        for (tasks, expected) in cases {
            assert_eq!(findings(tasks), [expected]);
        }
        let other = format!(
            "{load}  - {{id: b, agent: data_agent, action: clean_data, depends_on: a, params: {{path: '${{tasks.a.output.nowhere}}'}}}}\n"
        );
        assert_eq!(
            findings(&other),
            ["tasks[1].params.path: task 'a' puts out no 'nowhere'"]
        );
    }

    #[test]
    fn paths_lead_to_data_only() {
        for good in [
            "data/x.csv",
            "./x.csv",
            "/data/2026/x.parquet",
            "s3://bucket/key/",
            "https://example.org/x.csv",
        ] {
            assert_eq!(path_fault(good), None, "{good}");
        }
        for bad in [
            "",
            "../x.csv",
            "a/../../x",
            "/etc/passwd",
            "//etc/passwd",
            "/./etc/shadow",
            "~/.ssh/id_rsa",
            ".env",
            "a/.git/config",
            "file:///x",
            "http://169.254.169.254/latest",
            "s3://",
            "x.csv; rm -rf /",
            "$(id)",
            "a\nb",
            "/proc/self/environ",
            "s3://b/../x",
        ] {
            assert!(path_fault(bad).is_some(), "{bad}");
        }
    }
}
