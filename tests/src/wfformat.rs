//! Converts published scientific workflows into the DSL.
//!
//! WfFormat is the JSON format of the WfCommons project for recorded executions of workflows
//! (<https://github.com/wfcommons/WfFormat>). Its versions differ: since 1.4 structure and execution are apart
//! (`workflow.specification`, `workflow.execution`); before that there is one list (`workflow.tasks`, at first
//! `workflow.jobs`), whose `parents` may be names or ids.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};

/// A workflow in the DSL, with what a test wants to know about it.
#[derive(Debug)]
pub struct Converted {
    /// The document.
    pub workflow: Value,
    /// The programs of its tasks: the agents it needs.
    pub agents: BTreeSet<String>,
    /// The ids of each task's direct upstream tasks, in document order of the tasks.
    pub parents: Vec<(String, Vec<String>)>,
}

impl Converted {
    /// Dependencies between tasks.
    pub fn edges(&self) -> usize {
        self.parents.iter().map(|(_, parents)| parents.len()).sum()
    }

    /// A configuration under which every task of the workflow succeeds at once.
    pub fn configuration(&self) -> Value {
        let agents: Map<String, Value> = self
            .agents
            .iter()
            .map(|agent| (agent.clone(), json!({"builtin": "noop"})))
            .collect();
        let decision = json!({"max_task_count": self.parents.len().max(1)});
        json!({"master_orchestrator": {"decision": decision}, "agents": agents})
    }
}

/// Converts a WfFormat document of any version.
///
/// # Errors
/// Says what is missing when the document is not WfFormat.
pub fn convert(instance: &Value) -> Result<Converted, String> {
    let workflow = &instance["workflow"];
    let lists = [
        &workflow["specification"]["tasks"],
        &workflow["tasks"],
        &workflow["jobs"],
    ];
    let records = lists
        .into_iter()
        .find_map(Value::as_array)
        .ok_or("there is no list of tasks")?;
    let executions = workflow["execution"]["tasks"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let programs: HashMap<&str, &str> = executions
        .iter()
        .filter_map(|run| Some((run["id"].as_str()?, run["command"]["program"].as_str()?)))
        .collect();

    let ids = task_ids(records)?;
    let mut by_reference: HashMap<&str, usize> = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        for key in ["name", "id"] {
            if let Some(reference) = record[key].as_str() {
                by_reference.insert(reference, index);
            }
        }
    }

    let mut converted = Converted {
        workflow: Value::Null,
        agents: BTreeSet::new(),
        parents: Vec::new(),
    };
    let mut tasks = Vec::new();
    for (record, id) in records.iter().zip(&ids) {
        let (mut parents, mut seen) = (Vec::new(), HashSet::new());
        for parent in strings(&record["parents"]) {
            let index = by_reference
                .get(parent)
                .ok_or_else(|| format!("'{id}' has an unknown parent '{parent}'"))?;
            if seen.insert(*index) {
                parents.push(ids[*index].clone());
            }
        }
        let name = record["name"].as_str().unwrap_or(id);
        let program = programs.get(record["id"].as_str().unwrap_or(name)).copied();
        let agent = agent_name(
            program
                .or(record["command"]["program"].as_str())
                .unwrap_or(kind(name)),
        );
        tasks.push(json!({
            "id": id,
            "agent": agent,
            "action": valid(kind(name)),
            "params": params(record),
            "depends_on": parents,
        }));
        converted.agents.insert(agent);
        converted.parents.push((id.clone(), parents));
    }
    let name = instance["name"].as_str().unwrap_or("workflow");
    converted.workflow = json!({"name": valid(name.trim_end_matches(".json")), "tasks": tasks});
    Ok(converted)
}

/// An id for each task: its own, made valid and unique.
fn task_ids(records: &[Value]) -> Result<Vec<String>, String> {
    let mut taken = HashSet::new();
    let mut ids = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let written = record["id"].as_str().or(record["name"].as_str());
        let written = written.ok_or_else(|| format!("task {index} has neither 'id' nor 'name'"))?;
        let mut id = valid(written);
        if id != written || taken.contains(&id) {
            id = format!("{id}.{index}");
        }
        taken.insert(id.clone());
        ids.push(id);
    }
    Ok(ids)
}

/// What the task reads and writes, as in the record. `$` is doubled where it would begin a reference.
fn params(record: &Value) -> Value {
    let mut params = Map::new();
    for (key, link, list) in [
        ("reads", "input", "inputFiles"),
        ("writes", "output", "outputFiles"),
    ] {
        let old = record["files"].as_array().map(Vec::as_slice).unwrap_or_default();
        let old = old
            .iter()
            .filter(|file| file["link"] == link)
            .filter_map(|file| file["name"].as_str());
        let files: Vec<String> = strings(&record[list])
            .chain(old)
            .map(|name| name.replace("${", "$${"))
            .collect();
        params.insert(key.to_owned(), json!(files));
    }
    Value::Object(params)
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
}

/// What kind of task it is: `mProject` of `mProject_ID0000007`, `GATK` of `NF:GATK__sample__ID1`.
fn kind(name: &str) -> &str {
    let end = name.find("_ID").or_else(|| name.find("_0")).unwrap_or(name.len());
    let kind = &name[..end];
    let kind = kind.split("__").next().unwrap_or(kind);
    let kind = kind.rsplit(':').next().unwrap_or(kind);
    if kind.is_empty() { "task" } else { kind }
}

/// The agent that stands for a program: its file name.
fn agent_name(program: &str) -> String {
    valid(program.rsplit('/').next().unwrap_or(program))
}

/// A text as the DSL allows it as a name: letters, digits, `_`, `-`, `.`, beginning with no sign, at most 128. Cut
/// shorter, so that there is room for what makes it unique.
fn valid(text: &str) -> String {
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') {
            c
        } else {
            '_'
        }
    };
    let name: String = text.chars().take(100).map(keep).collect();
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        name
    } else {
        format!("x{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(instance: &Value) -> Vec<(String, Vec<String>)> {
        convert(instance).expect("it is WfFormat").parents
    }

    #[test]
    fn every_version_gives_the_same_graph() {
        let first = json!({"name": "a_ID1", "parents": [], "files": [{"link": "input", "name": "f"}]});
        let second = json!({"name": "b_ID2", "parents": ["a_ID1", "a_ID1"]});
        let jobs = json!({"name": "old", "workflow": {"jobs": [first, second]}});
        let tasks = json!({"name": "newer", "workflow": {"tasks": [first, second]}});
        let specification = json!({
            "name": "new",
            "workflow": {
                "specification": {"tasks": [
                    {"name": "a", "id": "a_ID1", "parents": [], "inputFiles": ["f"]},
                    {"name": "b", "id": "b_ID2", "parents": ["a_ID1"]},
                ]},
                "execution": {"tasks": [{"id": "a_ID1", "command": {"program": "/opt/bin/prog"}}]},
            },
        });
        let expected = [
            ("a_ID1".to_owned(), vec![]),
            ("b_ID2".to_owned(), vec!["a_ID1".to_owned()]),
        ];
        for instance in [&jobs, &tasks, &specification] {
            assert_eq!(shape(instance), expected);
        }
        let converted = convert(&specification).expect("it is WfFormat");
        assert_eq!(
            converted.agents,
            BTreeSet::from(["b".to_owned(), "prog".to_owned()])
        );
        assert_eq!(converted.workflow["tasks"][0]["params"]["reads"], json!(["f"]));
    }

    #[test]
    fn ids_that_the_dsl_does_not_allow_are_replaced_by_distinct_ones() {
        let long = "N".repeat(300);
        let tasks = json!([
            {"id": "A:B(1)", "parents": []},
            {"id": "A_B_1_", "parents": ["A:B(1)"]},
            {"id": long, "parents": ["A_B_1_"]},
            {"id": format!("{long}2"), "parents": [long]},
        ]);
        let graph = shape(&json!({"workflow": {"tasks": tasks}}));
        let ids: HashSet<&String> = graph.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 4);
        assert!(ids.iter().all(|id| id.len() <= 128), "{ids:?}");
        assert_eq!(graph[3].1, [graph[2].0.clone()]);
    }

    #[test]
    fn an_unknown_parent_is_an_error() {
        let instance = json!({"workflow": {"tasks": [{"id": "a", "parents": ["b"]}]}});
        assert_eq!(convert(&instance).unwrap_err(), "'a' has an unknown parent 'b'");
    }
}
