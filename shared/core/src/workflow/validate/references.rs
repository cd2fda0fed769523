//! What tasks refer to: `${...}` in parameters, variables of expressions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::Place;
use super::graph::Graph;
use super::reachability::{Answer, Question, answer};
use super::report::Report;
use super::task::Source;
use crate::workflow::definition::Task;
use crate::workflow::document::Node;
use crate::workflow::problem::Code;
use crate::workflow::reference::{RUN_FIELDS, Reference, Step, VARIABLES, describe};
use crate::workflow::{Expression, Template};

/// Checks all references of all tasks.
pub(super) fn check(
    tasks: &[Task],
    sources: &[Source<'_, '_>],
    graph: &Graph<'_>,
    inputs: &BTreeMap<String, Value>,
    report: &mut Report,
) {
    let mut checker = Checker {
        tasks,
        sources,
        graph,
        inputs,
        report,
        questions: Vec::new(),
        askers: Vec::new(),
    };
    for task in 0..tasks.len() {
        checker.check_task(task);
    }
    let answers = answer(graph, &checker.questions);
    let questions = std::mem::take(&mut checker.questions);
    let askers = std::mem::take(&mut checker.askers);
    for ((question, answer), at) in questions.into_iter().zip(answers).zip(askers) {
        checker.judge(question, answer, at);
    }
}

struct Checker<'c, 'n, 'a> {
    tasks: &'c [Task],
    sources: &'c [Source<'n, 'a>],
    graph: &'c Graph<'n>,
    inputs: &'c BTreeMap<String, Value>,
    report: &'c mut Report,
    /// Pairs of tasks that are not directly connected, and the offset of the reference that made us ask.
    questions: Vec<Question>,
    askers: Vec<u32>,
}

/// Where a reference stands.
#[derive(Clone, Copy)]
struct Site<'s> {
    task: usize,
    at: u32,
    place: Place<'s>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// In `when` or `for_each`.
    Expression,
    /// In `params`.
    Params,
    /// In `compensate.params`, where the task's own output is known.
    Compensation,
}

impl Checker<'_, '_, '_> {
    fn check_task(&mut self, index: usize) {
        let (task, source) = (&self.tasks[index], &self.sources[index]);
        for (key, expression) in [("when", &task.when), ("for_each", &task.for_each)] {
            if let Some(expression) = expression {
                self.check_expression(index, key, expression);
            }
        }
        if task.params.has_references() {
            let node = source.node.get("params");
            self.check_template(
                index,
                &task.params,
                node,
                Place::Key(&source.place, "params"),
                Kind::Params,
            );
        }
        if let Some(compensation) = &task.compensate {
            let place = Place::Key(&source.place, "compensate");
            let node = source.node.get("compensate").and_then(|node| node.get("params"));
            let place = Place::Key(&place, "params");
            self.check_template(index, &compensation.params, node, place, Kind::Compensation);
        }
    }

    fn check_expression(&mut self, task: usize, key: &str, expression: &Expression) {
        let source = &self.sources[task];
        let at = source.node.get(key).map_or(source.node.at, |node| node.at);
        let site = Site {
            task,
            at,
            place: Place::Key(&source.place, key),
            kind: Kind::Expression,
        };
        for reference in expression.references() {
            self.check_reference(reference, site);
        }
    }

    fn check_template(
        &mut self,
        task: usize,
        template: &Template,
        node: Option<&Node<'_>>,
        place: Place<'_>,
        kind: Kind,
    ) {
        for found in template.references() {
            let target = found
                .path
                .iter()
                .try_fold(node, |node, step| Some(node?.step(step)))
                .flatten();
            let at = target.or(node).map_or(self.sources[task].node.at, |node| node.at);
            let path = found.path.join(".");
            let place = if path.is_empty() {
                place
            } else {
                Place::Key(&place, &path)
            };
            let site = Site {
                task,
                at,
                place,
                kind,
            };
            match found.reference {
                Ok(reference) => self.check_reference(&reference, site),
                Err(error) => self
                    .report
                    .error(at, Code::BadReference, &site.place, error.to_string(), ""),
            }
        }
    }

    fn check_reference(&mut self, reference: &Reference, site: Site<'_>) {
        match reference.variable.as_str() {
            "inputs" => self.check_input(reference, site),
            "tasks" => self.check_task_reference(reference, site),
            "item" | "item_index" => {
                let is_fanned_out = self.tasks[site.task].for_each.is_some();
                if site.kind == Kind::Expression {
                    self.complain(
                        site,
                        format!("'{reference}' has no value here"),
                        "it exists only in 'params'",
                    );
                } else if !is_fanned_out {
                    let message = format!("'{reference}' exists only in a task with 'for_each'");
                    self.complain(site, message, "add 'for_each', or refer to something else");
                }
            }
            "run" => self.check_run(reference, site),
            unknown => {
                let remedy = match (self.report.nearest(unknown, VARIABLES), site.kind) {
                    (Some(known), _) => format!("did you mean '{known}'?"),
                    (None, Kind::Expression) => format!("known are {}", VARIABLES.join(", ")),
                    (None, _) => format!("known are {}; '$${{' is the text '${{'", VARIABLES.join(", ")),
                };
                self.complain(site, format!("unknown variable '{unknown}'"), remedy);
            }
        }
    }

    fn check_run(&mut self, reference: &Reference, site: Site<'_>) {
        let Some(Step::Key(field)) = reference.path.first() else {
            return;
        };
        if !RUN_FIELDS.contains(&field.as_str()) {
            let remedy = match self.report.nearest(field, RUN_FIELDS) {
                Some(known) => format!("did you mean '{known}'?"),
                None => format!("known are {}", RUN_FIELDS.join(", ")),
            };
            self.complain(site, format!("unknown fact of the run '{field}'"), remedy);
        }
    }

    fn check_input(&mut self, reference: &Reference, site: Site<'_>) {
        let name = match reference.path.first() {
            None => return,
            Some(Step::Key(name)) => name,
            Some(Step::Index(_)) => {
                return self.complain(
                    site,
                    format!("'{reference}': 'inputs' is no list"),
                    "write 'inputs.name'",
                );
            }
        };
        let Some(default) = self.inputs.get(name) else {
            let remedy = match self.report.nearest(name, self.inputs.keys().map(String::as_str)) {
                Some(known) => format!("did you mean '{known}'?"),
                None => format!("declare it: 'inputs: {{{name}: ...}}'"),
            };
            return self.complain(site, format!("unknown input '{name}'"), remedy);
        };
        let mut shape = default;
        for step in &reference.path[1..] {
            let next = match (step, shape) {
                (_, Value::Null) => return,
                (Step::Key(key), Value::Object(fields)) => fields.get(key),
                // The list given at submission may be longer than the default.
                (Step::Index(_), Value::Array(_)) => return,
                _ => None,
            };
            let Some(next) = next else {
                let is_empty = shape.as_object().is_some_and(serde_json::Map::is_empty);
                if !is_empty {
                    let message = format!(
                        "'{reference}': the default of '{name}' has no such part, it is {}",
                        describe(shape)
                    );
                    self.complain(site, message, "correct the path, or the default");
                }
                return;
            };
            shape = next;
        }
    }

    fn check_task_reference(&mut self, reference: &Reference, site: Site<'_>) {
        let Some(id) = reference.task() else {
            return self.complain(
                site,
                format!("'{reference}' names no task"),
                "write 'tasks.id.output' or 'tasks[\"id\"].output'",
            );
        };
        let Some(&upstream) = self.graph.ids.get(id) else {
            let remedy = match self
                .report
                .nearest(id, self.sources.iter().map(|source| source.id))
            {
                Some(known) => format!("did you mean '{known}'?"),
                None => "add the task, or remove the reference".to_owned(),
            };
            return self.complain(
                site,
                format!("'{reference}' refers to the unknown task '{id}'"),
                remedy,
            );
        };
        // What undoes an item sees that item's output as its task's own.
        let is_own_item = upstream == site.task && site.kind == Kind::Compensation;
        let is_list = self.tasks[upstream].for_each.is_some() && !is_own_item;
        match (reference.path.get(1), reference.path.get(2)) {
            (Some(Step::Key(field)), None) if field == "status" => {}
            (Some(Step::Key(field)), Some(Step::Key(_))) if field == "output" && is_list => {
                let message = format!("'{reference}': '{id}' has 'for_each', so its output is a list");
                return self.complain(
                    site,
                    message,
                    format!("write 'tasks.{id}.output' or 'tasks.{id}.output[0]'"),
                );
            }
            (Some(Step::Key(field)), _) if field == "output" => {}
            _ => {
                let message = format!("'{reference}': a task has only 'output' and 'status'");
                let remedy = format!("write 'tasks.{id}.output' or 'tasks.{id}.status'");
                return self.complain(site, message, remedy);
            }
        }
        if upstream == site.task {
            if site.kind != Kind::Compensation {
                self.complain(
                    site,
                    format!("'{reference}' is the task's own result"),
                    "refer to an upstream task",
                );
            }
        } else if !self.is_direct(upstream, site.task) {
            self.questions.push(Question {
                upstream,
                downstream: site.task,
            });
            self.askers.push(site.at);
        }
    }

    fn is_direct(&self, upstream: usize, task: usize) -> bool {
        // Dependents are listed in index order.
        self.graph
            .dependents(upstream)
            .binary_search(&(task as u32))
            .is_ok()
    }

    fn judge(&mut self, question: Question, answer: Answer, at: u32) {
        let (upstream, task) = (
            &self.sources[question.upstream],
            &self.sources[question.downstream],
        );
        let (id, used) = (task.id, upstream.id);
        let remedy = format!("add '{used}' to 'depends_on'");
        match answer {
            Answer::Yes => {}
            Answer::No => {
                let message = format!("task '{id}' refers to '{used}', which does not run before it");
                self.report
                    .error(at, Code::BadReference, &task.place, message, remedy);
            }
            Answer::Unknown => {
                let message = format!("task '{id}' refers to '{used}', which is too far away to check");
                self.report.error(at, Code::Limit, &task.place, message, remedy);
            }
        }
    }

    fn complain(&mut self, site: Site<'_>, message: String, remedy: impl Into<String>) {
        self.report
            .error(site.at, Code::BadReference, &site.place, message, remedy);
    }
}
