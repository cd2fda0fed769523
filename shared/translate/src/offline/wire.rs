//! Steps become tasks: who takes whose output, who waits for whom, what has to be done besides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::index::Index;
use crate::catalogue::{Kind, Param};
use crate::draft::DraftTask;

/// One step of a sentence.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// The number of its action.
    pub entry: usize,
    /// What the sentence says about its parameters.
    pub values: Map<String, Value>,
    /// Added to the name of its task.
    pub suffix: Option<String>,
    /// Whether it is the step before once more, with another value: the two do not wait for each other.
    pub is_sibling: bool,
    /// Whether a word says that it comes after what is before it.
    pub follows: bool,
    /// A file that the sentence names, for the step that begins what this one needs.
    pub source: Option<Value>,
}

/// The tasks, and what they need of whoever starts a run.
#[derive(Debug, Default)]
pub(super) struct Wired {
    pub tasks: Vec<DraftTask>,
    pub inputs: BTreeMap<String, Value>,
    pub notes: Vec<String>,
    entries: Vec<usize>,
}

/// Why steps cannot be put together: the parameter, and the actions that could make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unclear(pub String);

/// Steps added for one step, at most.
const DEPTH_MAX: usize = 8;
/// Tasks, whatever the policy allows: a sentence that comes to more is not understood.
pub(super) const TASKS_MAX: usize = 100;

impl Wired {
    /// Puts steps together.
    ///
    /// # Errors
    /// When a parameter has to be given and nobody knows which step makes it.
    pub fn of(steps: Vec<Step>, index: &Index<'_>) -> Result<Wired, Unclear> {
        let mut wired = Wired::default();
        for step in steps {
            wired.add(step, index, 0)?;
            if wired.tasks.len() > TASKS_MAX {
                return Err(Unclear(format!(
                    "the text comes to more than {TASKS_MAX} tasks (say less at a time)"
                )));
            }
        }
        Ok(wired)
    }

    fn add(&mut self, mut step: Step, index: &Index<'_>, depth: usize) -> Result<(), Unclear> {
        let mut source = step.source.take();
        self.make_what_is_needed(&step, &mut source, index, depth)?;
        if let Some(Value::String(file)) = source {
            return Err(Unclear(format!(
                "it is not clear what is to be done with '{file}'"
            )));
        }
        let entry = index.entry(step.entry);
        let mut params = step.values;
        let mut upstream: BTreeSet<usize> = BTreeSet::new();
        let id = self.name(entry.name, step.suffix.as_deref());
        for (name, param) in &entry.action.params {
            if params.contains_key(name) {
                continue;
            }
            if let Some((value, makers)) = self.taken(param, index) {
                upstream.extend(makers);
                params.insert(name.clone(), value);
            } else if let Some(default) = &param.default {
                params.insert(name.clone(), default.clone());
            } else if param.is_required() {
                let input = self.input(name, &id);
                self.notes.push(format!(
                    "'{id}' needs '{name}', which the text does not say: give the input '{input}'"
                ));
                params.insert(name.clone(), json!(format!("${{inputs.{input}}}")));
            } else if !param.from.is_empty()
                && entry
                    .action
                    .params
                    .values()
                    .filter(|param| !param.from.is_empty())
                    .count()
                    == 1
            {
                self.notes.push(format!(
                    "'{id}' gets no '{name}': no step before it makes one, and the text names no file"
                ));
            }
        }
        let takes_all = entry.action.is_last();
        let before = self
            .tasks
            .last()
            .filter(|_| step.is_sibling && upstream.is_empty());
        if let Some(before) = before {
            let same = |id: &String| self.tasks.iter().position(|task| task.id == *id);
            upstream.extend(before.depends_on.iter().filter_map(same));
        } else if takes_all || upstream.is_empty() && !has_data(&params) {
            upstream.extend(self.sinks());
        } else if step.follows
            && let Some(last) = self.tasks.len().checked_sub(1)
            && !self.reaches(&upstream, last)
        {
            upstream.insert(last);
        }
        let depends_on = upstream.iter().map(|task| self.tasks[*task].id.clone()).collect();
        self.entries.push(step.entry);
        self.tasks.push(DraftTask {
            id,
            agent: entry.agent.to_owned(),
            action: entry.name.to_owned(),
            params,
            depends_on,
        });
        Ok(())
    }

    /// Adds the steps that make what a step needs and nobody has made yet.
    fn make_what_is_needed(
        &mut self,
        step: &Step,
        source: &mut Option<Value>,
        index: &Index<'_>,
        depth: usize,
    ) -> Result<(), Unclear> {
        let entry = index.entry(step.entry);
        for (name, param) in &entry.action.params {
            let is_open = param.is_required()
                && param.default.is_none()
                && !step.values.contains_key(name)
                && !param.from.is_empty();
            if !is_open || self.taken(param, index).is_some() {
                continue;
            }
            let mut makers = param.from.iter().map(|source| {
                let (action, output) = parts(source);
                let mut makers = index.producers(action, output);
                makers.retain(|maker| *maker != step.entry);
                makers
            });
            let makers: Vec<usize> = makers.find(|makers| !makers.is_empty()).unwrap_or_default();
            let named = |maker: &usize| index.entry(*maker).name.replace('_', " ");
            match makers.as_slice() {
                [] => {}
                [maker] if depth < DEPTH_MAX => {
                    let mut made = Step {
                        entry: *maker,
                        values: Map::new(),
                        suffix: None,
                        is_sibling: false,
                        follows: false,
                        source: source.take(),
                    };
                    made.begin_with_source(index);
                    self.add(made, index, depth + 1)?;
                    let added = self.tasks.last().map_or("", |task| task.id.as_str());
                    self.notes.push(format!(
                        "'{added}' was added: '{}' needs its '{name}'",
                        entry.name
                    ));
                }
                several => {
                    let several: Vec<String> = several.iter().map(named).collect();
                    return Err(Unclear(format!(
                        "'{}' needs '{name}', and it is not clear what is to make it (say which: {})",
                        entry.name.replace('_', " "),
                        several.join(", ")
                    )));
                }
            }
        }
        Ok(())
    }

    /// The outputs a parameter takes, as references, and the tasks that make them.
    fn taken(&self, param: &Param, index: &Index<'_>) -> Option<(Value, Vec<usize>)> {
        for source in &param.from {
            let (action, output) = parts(source);
            let makes = |task: &usize| {
                let entry = index.entry(self.entries[*task]);
                action.is_none_or(|action| action == entry.name)
                    && (output == "*" || entry.action.outputs.contains_key(output))
            };
            let makers: Vec<usize> = (0..self.tasks.len()).filter(makes).collect();
            let reference = |task: &usize| {
                let id = &self.tasks[*task].id;
                match output {
                    "*" => json!(format!("${{tasks.{id}.output}}")),
                    output => json!(format!("${{tasks.{id}.output.{output}}}")),
                }
            };
            match (makers.last(), param.kind) {
                (None, _) => {}
                (Some(_), Some(Kind::List)) => return Some((makers.iter().map(reference).collect(), makers)),
                (Some(last), _) => return Some((reference(last), vec![*last])),
            }
        }
        None
    }

    /// Tasks that nothing waits for.
    fn sinks(&self) -> Vec<usize> {
        let waited: BTreeSet<&str> = self
            .tasks
            .iter()
            .flat_map(|task| &task.depends_on)
            .map(String::as_str)
            .collect();
        (0..self.tasks.len())
            .filter(|task| !waited.contains(self.tasks[*task].id.as_str()))
            .collect()
    }

    /// Whether waiting for `upstream` is waiting for `task`.
    fn reaches(&self, upstream: &BTreeSet<usize>, task: usize) -> bool {
        let mut open: Vec<usize> = upstream.iter().copied().collect();
        let mut seen = upstream.clone();
        while let Some(next) = open.pop() {
            if next == task {
                return true;
            }
            for id in &self.tasks[next].depends_on {
                let at = self.tasks.iter().position(|task| task.id == *id);
                open.extend(at.filter(|at| seen.insert(*at)));
            }
        }
        false
    }

    fn name(&self, action: &str, suffix: Option<&str>) -> String {
        let base = match suffix {
            Some(suffix) => format!("{action}_{suffix}"),
            None => action.to_owned(),
        };
        let is_taken = |id: &String| self.tasks.iter().any(|task| task.id == *id);
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        std::iter::once(base.clone())
            .chain(numbered)
            .find(|id| !is_taken(id))
            .unwrap_or(base)
    }

    fn input(&mut self, name: &str, task: &str) -> String {
        let input = match self.inputs.contains_key(name) {
            true => format!("{task}_{name}"),
            false => name.to_owned(),
        };
        self.inputs.insert(input.clone(), Value::Null);
        input
    }
}

impl Step {
    /// Takes the file that the sentence names, if this is where the chain begins.
    fn begin_with_source(&mut self, index: &Index<'_>) {
        let params = &index.entry(self.entry).action.params;
        let place = params
            .iter()
            .find(|(_, param)| param.is_required() && param.takes_file());
        if let Some((name, _)) = place
            && let Some(source) = self.source.take()
        {
            self.values.insert(name.clone(), source);
        }
    }
}

/// `ACTION.OUTPUT` or `OUTPUT`.
fn parts(source: &str) -> (Option<&str>, &str) {
    match source.split_once('.') {
        Some((action, output)) => (Some(action), output),
        None => (None, source),
    }
}

/// Whether a step has data of its own, so that it need not wait for others.
fn has_data(params: &Map<String, Value>) -> bool {
    params.values().any(|value| {
        value
            .as_str()
            .is_some_and(|text| text.contains(['/', '.']) || text.contains("${"))
    })
}
