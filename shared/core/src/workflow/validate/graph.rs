//! How tasks depend on each other.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use super::report::Report;
use super::task::Source;
use super::values::quote;
use crate::ids::NodeIx;
use crate::workflow::Expression;
use crate::workflow::definition::{Task, Trigger};
use crate::workflow::problem::Code;

/// Tasks of a cycle that are named at most.
const CYCLE_NAMED_MAX: usize = 100;

/// The dependencies between tasks, by index.
pub(super) struct Graph<'n> {
    /// Tasks by id; of two with the same id, the first.
    pub ids: HashMap<&'n str, usize>,
    /// Place of each task in a topological order; `u32::MAX` for those in a cycle or behind one.
    pub position: Vec<u32>,
    order: Vec<usize>,
    /// Those that directly depend on task `i` are `dependents[starts[i]..starts[i + 1]]`.
    starts: Vec<usize>,
    dependents: Vec<u32>,
}

impl<'n> Graph<'n> {
    /// Fills in `depends_on`; reports duplicate ids, unknown tasks and cycles.
    pub fn link(tasks: &mut [Task], sources: &[Source<'n, '_>], report: &mut Report) -> Graph<'n> {
        let ids = index(sources, report);
        for (index, task) in tasks.iter_mut().enumerate() {
            task.depends_on = resolve(index, sources, &ids, report);
        }
        let (starts, dependents) = invert(tasks);
        let mut graph = Graph {
            ids,
            position: vec![u32::MAX; tasks.len()],
            order: Vec::new(),
            starts,
            dependents,
        };
        graph.sort(tasks);
        if graph.order.len() < tasks.len() {
            graph.report_cycles(tasks, sources, report);
        }
        graph
    }

    /// The tasks that directly depend on `task`, in index order.
    pub fn dependents(&self, task: usize) -> &[u32] {
        &self.dependents[self.starts[task]..self.starts[task + 1]]
    }

    /// Kahn's algorithm; leaves out tasks in cycles and behind them.
    fn sort(&mut self, tasks: &[Task]) {
        let mut open: Vec<usize> = tasks.iter().map(|task| task.depends_on.len()).collect();
        let mut order: Vec<usize> = (0..tasks.len()).filter(|task| open[*task] == 0).collect();
        let mut done = 0;
        while done < order.len() {
            let task = order[done];
            self.position[task] = done as u32;
            done += 1;
            for &dependent in self.dependents(task) {
                open[dependent as usize] -= 1;
                if open[dependent as usize] == 0 {
                    order.push(dependent as usize);
                }
            }
        }
        self.order = order;
    }

    /// Names one cycle of each group of tasks that wait for each other: the shortest through its first task.
    fn report_cycles(&self, tasks: &[Task], sources: &[Source<'_, '_>], report: &mut Report) {
        for group in self.groups(tasks).into_iter().filter(|group| group.len() > 1) {
            let start = group[0];
            let cycle = shortest_cycle(start, &group, tasks);
            let named = |task: &usize| sources[*task].id;
            let mut names: Vec<&str> = cycle.iter().take(CYCLE_NAMED_MAX).map(named).collect();
            if cycle.len() > CYCLE_NAMED_MAX {
                names.push("...");
            }
            names.push(named(&start));
            let first_step = sources[start]
                .wanted
                .iter()
                .find(|(id, _)| self.ids.get(*id) == cycle.get(1));
            let at = first_step.map_or(sources[start].node.at, |(_, at)| *at);
            let message = format!(
                "{} tasks wait for each other: {}",
                cycle.len(),
                names.join(" -> ")
            );
            let remedy = "'->' reads 'depends on'; remove one of these dependencies";
            report.error(at, Code::Cycle, &sources[start].place, message, remedy);
        }
    }

    /// The strongly connected components among the tasks that sorting left out, each in index order, by first task
    /// (Kosaraju's algorithm).
    fn groups(&self, tasks: &[Task]) -> Vec<Vec<usize>> {
        let mut is_visited: Vec<bool> = self
            .position
            .iter()
            .map(|position| *position != u32::MAX)
            .collect();
        let mut is_grouped = is_visited.clone();
        let mut finished = Vec::new();
        for task in 0..tasks.len() {
            let mut path = Vec::new();
            if !std::mem::replace(&mut is_visited[task], true) {
                path.push((task, 0));
            }
            while let Some((task, next)) = path.pop() {
                let Some(upstream) = tasks[task].depends_on.get(next) else {
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
                    open.extend(self.dependents(task).iter().map(|dependent| *dependent as usize));
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
    pub fn report_dead_tasks(&self, tasks: &[Task], sources: &[Source<'_, '_>], report: &mut Report) {
        let mut is_dead = vec![false; tasks.len()];
        for &index in &self.order {
            let (task, source) = (&tasks[index], &sources[index]);
            let (id, upstream) = (source.id, &task.depends_on);
            let dead = || {
                upstream
                    .iter()
                    .map(|node| node.index())
                    .find(|upstream| is_dead[*upstream])
            };
            if task.trigger == Trigger::AnySuccess && source.wanted.is_empty() {
                let at = source.node.get("trigger").map_or(source.node.at, |node| node.at);
                let message = format!("task '{id}' can never run: 'any_success' of no tasks");
                report.error(
                    at,
                    Code::DeadTask,
                    &source.place,
                    message,
                    "add 'depends_on', or remove 'trigger'",
                );
                continue;
            }
            let condition = task.when.as_ref().and_then(Expression::constant);
            let cause = if condition == Some(Value::Bool(false)) {
                Some("its condition is always false".to_owned())
            } else {
                match task.trigger {
                    Trigger::AllSuccess => dead(),
                    Trigger::AnySuccess if upstream.iter().all(|node| is_dead[node.index()]) => dead(),
                    _ => None,
                }
                .map(|upstream| {
                    format!(
                        "it needs the success of '{}', which never runs",
                        sources[upstream].id
                    )
                })
            };
            if let Some(cause) = cause {
                is_dead[index] = true;
                let at = source.node.get("when").map_or(source.id_at, |node| node.at);
                let message = format!("task '{id}' can never run: {cause}");
                report.warning(
                    at,
                    Code::DeadTask,
                    &source.place,
                    message,
                    "remove it, or change the condition",
                );
            }
        }
    }
}

fn index<'n>(sources: &[Source<'n, '_>], report: &mut Report) -> HashMap<&'n str, usize> {
    let mut ids = HashMap::with_capacity(sources.len());
    for (task, source) in sources
        .iter()
        .enumerate()
        .filter(|(_, source)| !source.id.is_empty())
    {
        match ids.entry(source.id) {
            Entry::Vacant(entry) => {
                entry.insert(task);
            }
            Entry::Occupied(first) => {
                let (first, second) = (&sources[*first.get()].place, &source.place);
                let message = format!("two tasks have the id '{}': {first} and {second}", source.id);
                report.error(source.id_at, Code::DuplicateId, second, message, "rename one");
            }
        }
    }
    ids
}

/// The tasks that `task` depends on, without repetitions.
fn resolve(
    task: usize,
    sources: &[Source<'_, '_>],
    ids: &HashMap<&str, usize>,
    report: &mut Report,
) -> Vec<NodeIx> {
    let source = &sources[task];
    let mut upstream = Vec::with_capacity(source.wanted.len());
    for &(id, at) in &source.wanted {
        match ids.get(id) {
            Some(found) if *found == task => {
                let message = format!("task '{id}' depends on itself");
                report.error(
                    at,
                    Code::SelfDependency,
                    &source.place,
                    message,
                    "remove it from 'depends_on'",
                );
            }
            Some(found) => upstream.push(NodeIx::new(*found)),
            None => {
                let message = format!(
                    "task '{}' depends on {}, which does not exist",
                    source.id,
                    quote(id)
                );
                let remedy = match report.nearest(id, sources.iter().map(|source| source.id)) {
                    Some(known) => format!("did you mean '{known}'?"),
                    None => "add the task, or remove the dependency".to_owned(),
                };
                report.error(at, Code::UnknownDependency, &source.place, message, remedy);
            }
        }
    }
    if upstream.len() > 1 {
        let mut seen = HashSet::with_capacity(upstream.len());
        upstream.retain(|node| seen.insert(*node));
    }
    upstream
}

/// Who depends on whom, from who is depended on.
fn invert(tasks: &[Task]) -> (Vec<usize>, Vec<u32>) {
    let mut starts = vec![0; tasks.len() + 1];
    for upstream in tasks.iter().flat_map(|task| &task.depends_on) {
        starts[upstream.index() + 1] += 1;
    }
    for index in 0..tasks.len() {
        starts[index + 1] += starts[index];
    }
    let mut next = starts.clone();
    let mut dependents = vec![0; starts[tasks.len()]];
    for (index, task) in tasks.iter().enumerate() {
        for upstream in &task.depends_on {
            dependents[next[upstream.index()]] = index as u32;
            next[upstream.index()] += 1;
        }
    }
    (starts, dependents)
}

/// Breadth first along `depends_on`, inside `group` (sorted).
fn shortest_cycle(start: usize, group: &[usize], tasks: &[Task]) -> Vec<usize> {
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(task) = queue.pop_front() {
        for upstream in tasks[task].depends_on.iter().map(|node| node.index()) {
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
