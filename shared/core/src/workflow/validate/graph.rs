//! How tasks depend on each other.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::nearest::nearest;
use super::report::Report;
use super::task::Draft;
use super::values::quote;
use crate::ids::NodeIx;
use crate::workflow::Expression;
use crate::workflow::definition::Trigger;
use crate::workflow::problem::Code;

/// Tasks of a cycle that are named at most.
const CYCLE_NAMED_MAX: usize = 100;

/// The dependencies between drafts, by index.
pub(super) struct Graph {
    /// Tasks by id; of two with the same id, the first.
    pub ids: HashMap<String, usize>,
    /// Tasks that directly depend on each.
    pub dependents: Vec<Vec<u32>>,
    /// Place of each task in a topological order; `u32::MAX` for those in a cycle or behind one.
    pub position: Vec<u32>,
    order: Vec<usize>,
}

/// Resolves `depends_on` and reports unknown, duplicate and cyclic tasks.
pub(super) fn link(drafts: &mut [Draft<'_, '_>], report: &mut Report) -> Graph {
    let ids = index(drafts, report);
    let mut dependents = vec![Vec::new(); drafts.len()];
    for (task, draft) in drafts.iter_mut().enumerate() {
        let mut upstream = Vec::with_capacity(draft.wanted.len());
        for &(id, at) in &draft.wanted {
            match ids.get(id) {
                Some(&found) if found == task => {
                    let message = format!("task {} depends on itself", quote(id));
                    report.error(at, Code::SelfDependency, &draft.place, message, "remove it from 'depends_on'");
                }
                Some(&found) => upstream.push(NodeIx::new(found)),
                None => report_unknown(draft, id, at, &ids, report),
            }
        }
        let mut sorted = upstream.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() < upstream.len() {
            let mut seen = std::collections::HashSet::new();
            upstream.retain(|node| seen.insert(*node));
        }
        for node in &sorted {
            dependents[node.index()].push(task as u32);
        }
        draft.task.depends_on = upstream;
    }
    let mut graph = Graph { ids, dependents, position: vec![u32::MAX; drafts.len()], order: Vec::new() };
    graph.sort(drafts);
    if graph.order.len() < drafts.len() {
        graph.report_cycles(drafts, report);
    }
    graph
}

fn index(drafts: &[Draft<'_, '_>], report: &mut Report) -> HashMap<String, usize> {
    let mut ids: HashMap<String, usize> = HashMap::with_capacity(drafts.len());
    for (task, draft) in drafts.iter().enumerate().filter(|(_, draft)| !draft.task.id.is_empty()) {
        if let Some(first) = ids.get(&draft.task.id) {
            let message = format!("two tasks have the id '{}': {} and {}", draft.task.id, drafts[*first].place, draft.place);
            report.error(draft.id_at, Code::DuplicateId, &draft.place, message, "rename one");
        } else {
            ids.insert(draft.task.id.clone(), task);
        }
    }
    ids
}

fn report_unknown(draft: &Draft<'_, '_>, id: &str, at: u32, ids: &HashMap<String, usize>, report: &mut Report) {
    let message = format!("task '{}' depends on {}, which does not exist", draft.task.id, quote(id));
    report.error(at, Code::UnknownDependency, &draft.place, message, suggestion(id, ids));
}

/// What the unknown id may be meant to be. Candidates are compared in alphabetic order to be deterministic.
pub(super) fn suggestion(id: &str, ids: &HashMap<String, usize>) -> String {
    let mut known: Vec<&str> = ids.keys().map(String::as_str).collect();
    known.sort_unstable();
    match nearest(id, known) {
        Some(known) => format!("did you mean '{known}'?"),
        None => "add the task, or remove the dependency".to_owned(),
    }
}

impl Graph {
    /// Kahn's algorithm; leaves out tasks in cycles and behind them.
    fn sort(&mut self, drafts: &[Draft<'_, '_>]) {
        let mut open: Vec<usize> = drafts.iter().map(|draft| draft.task.depends_on.len()).collect();
        let mut order: Vec<usize> = (0..drafts.len()).filter(|task| open[*task] == 0).collect();
        let mut done = 0;
        while done < order.len() {
            let task = order[done];
            self.position[task] = done as u32;
            done += 1;
            for &dependent in &self.dependents[task] {
                open[dependent as usize] -= 1;
                if open[dependent as usize] == 0 {
                    order.push(dependent as usize);
                }
            }
        }
        self.order = order;
    }

    /// Names one cycle of each group of tasks that wait for each other: the shortest through its first task.
    fn report_cycles(&self, drafts: &[Draft<'_, '_>], report: &mut Report) {
        for group in self.groups(drafts).into_iter().filter(|group| group.len() > 1) {
            let start = group[0];
            let cycle = shortest_cycle(start, &group, drafts);
            let named = |task: &usize| drafts[*task].task.id.as_str();
            let mut names: Vec<&str> = cycle.iter().take(CYCLE_NAMED_MAX).map(named).collect();
            if cycle.len() > CYCLE_NAMED_MAX {
                names.push("...");
            }
            names.push(named(&start));
            let first_step = drafts[start].wanted.iter().find(|(id, _)| self.ids.get(*id) == cycle.get(1));
            let at = first_step.map_or(drafts[start].node.at, |(_, at)| *at);
            let message = format!("{} tasks wait for each other: {}", cycle.len(), names.join(" -> "));
            let remedy = "'->' reads 'depends on'; remove one of these dependencies";
            report.error(at, Code::Cycle, &drafts[start].place, message, remedy);
        }
    }

    /// The strongly connected components among the tasks that sorting left out, each in index order, by first task
    /// (Kosaraju's algorithm).
    fn groups(&self, drafts: &[Draft<'_, '_>]) -> Vec<Vec<usize>> {
        let mut is_visited: Vec<bool> = self.position.iter().map(|position| *position != u32::MAX).collect();
        let mut is_grouped = is_visited.clone();
        let mut finished = Vec::new();
        for task in 0..drafts.len() {
            let mut path = Vec::new();
            if !std::mem::replace(&mut is_visited[task], true) {
                path.push((task, 0));
            }
            while let Some((task, next)) = path.pop() {
                let Some(upstream) = drafts[task].task.depends_on.get(next) else {
                    finished.push(task);
                    continue;
                };
                path.push((task, next + 1));
                if !std::mem::replace(&mut is_visited[upstream.index()], true) {
                    path.push((upstream.index(), 0));
                }
            }
        }
        let mut groups = Vec::new();
        for root in finished.into_iter().rev() {
            let mut group = Vec::new();
            let mut open = vec![root];
            while let Some(task) = open.pop() {
                if !std::mem::replace(&mut is_grouped[task], true) {
                    group.push(task);
                    open.extend(self.dependents[task].iter().map(|dependent| *dependent as usize));
                }
            }
            group.sort_unstable();
            groups.push(group);
        }
        groups.sort_unstable();
        groups
    }

    /// Warns about tasks that can never run. A task is dead when its condition is always false, or when its trigger
    /// needs the success of a dead task. An error when the document alone shows that the trigger makes no sense.
    pub fn report_dead_tasks(&self, drafts: &[Draft<'_, '_>], report: &mut Report) {
        let mut is_dead = vec![false; drafts.len()];
        for &task in &self.order {
            let draft = &drafts[task];
            let id = &draft.task.id;
            let upstream = &draft.task.depends_on;
            let dead = || upstream.iter().map(|node| node.index()).find(|upstream| is_dead[*upstream]);
            if draft.task.trigger == Trigger::AnySuccess && draft.wanted.is_empty() {
                let at = draft.node.get("trigger").map_or(draft.node.at, |node| node.at);
                let message = format!("task '{id}' can never run: 'any_success' of no tasks");
                report.error(at, Code::DeadTask, &draft.place, message, "add 'depends_on', or remove 'trigger'");
                continue;
            }
            let condition = draft.task.when.as_ref().and_then(Expression::constant);
            let cause = if condition == Some(Value::Bool(false)) {
                Some("its condition is always false".to_owned())
            } else {
                match draft.task.trigger {
                    Trigger::AllSuccess => dead(),
                    Trigger::AnySuccess if upstream.iter().all(|node| is_dead[node.index()]) => dead(),
                    _ => None,
                }
                .map(|upstream| format!("it needs the success of '{}', which never runs", drafts[upstream].task.id))
            };
            if let Some(cause) = cause {
                is_dead[task] = true;
                let at = draft.node.get("when").map_or(draft.id_at, |node| node.at);
                let message = format!("task '{id}' can never run: {cause}");
                report.warning(at, Code::DeadTask, &draft.place, message, "remove it, or change the condition");
            }
        }
    }
}

/// Breadth first along `depends_on`, inside `group` (sorted).
fn shortest_cycle(start: usize, group: &[usize], drafts: &[Draft<'_, '_>]) -> Vec<usize> {
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(task) = queue.pop_front() {
        for upstream in drafts[task].task.depends_on.iter().map(|node| node.index()) {
            if upstream == start {
                let mut cycle = vec![task];
                while let Some(previous) = came_from.get(&cycle[cycle.len() - 1]) {
                    cycle.push(*previous);
                }
                cycle.reverse();
                return cycle;
            }
            if group.binary_search(&upstream).is_ok() && !came_from.contains_key(&upstream) {
                came_from.insert(upstream, task);
                queue.push_back(upstream);
            }
        }
    }
    vec![start]
}
