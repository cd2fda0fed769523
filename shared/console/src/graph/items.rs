//! Tasks as the graph needs them.

use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{RunState, TaskStatus};
use orchestrator_engine::views::PlanView;
use orchestrator_engine::views::task::HeldView;

use crate::parts::counts::Counts;

/// One task.
#[derive(Debug, Clone)]
pub struct Item {
    pub name: String,
    /// Agent and action, as in `ml_agent.train`.
    pub work: String,
    /// Tasks it directly depends on, by index.
    pub upstream: Vec<u32>,
    /// Its state; none in a plan.
    pub status: Option<TaskStatus>,
    /// What it waits for, where it runs, or what the policy would say.
    pub note: String,
    /// The items of a `for_each` task by state.
    pub children: Option<Counts>,
}

/// The tasks of a run, in the order of its document. Items of `for_each` tasks are counted in theirs.
pub fn of_run(state: &RunState) -> Vec<Item> {
    let tasks = state.workflow.tasks.iter().enumerate();
    let item = |(index, task): (usize, &orchestrator_core::workflow::Task)| {
        let node = NodeIx::new(index);
        let entry = state.node(node);
        let children = entry.group.map(|group| {
            let mut counts = Counts::default();
            for child in group.children() {
                counts.add(state.node(child).status);
            }
            counts
        });
        Item {
            name: task.id.clone(),
            work: format!("{}.{}", task.agent, task.action),
            upstream: task.depends_on.iter().map(|upstream| upstream.0).collect(),
            status: Some(entry.status),
            note: note(state, node),
            children,
        }
    };
    tasks.map(item).collect()
}

fn note(state: &RunState, node: NodeIx) -> String {
    let entry = state.node(node);
    let class = state
        .choice_of(node)
        .map(|choice| choice.overrides.resource_class.as_str());
    match entry.status {
        TaskStatus::Held => {
            HeldView::of(state, node).map_or_else(String::new, |held| match held.pools.as_slice() {
                [] => format!("waits: {}", held.reason),
                pools => format!("waits for {}", pools.join(", ")),
            })
        }
        TaskStatus::RetryWait => format!("attempt {} failed", entry.attempt),
        TaskStatus::Running | TaskStatus::Queued => {
            let percent = entry.progress.as_deref().and_then(|progress| progress.percent);
            let on = class.map_or_else(String::new, |class| format!("on {class}"));
            percent.map_or(on.clone(), |percent| format!("{on}, {percent:.0} %"))
        }
        TaskStatus::Failed => entry
            .failure
            .as_deref()
            .map_or_else(String::new, |failure| failure.class.as_str().to_owned()),
        _ if entry.epoch > 1 => format!("epoch {}", entry.epoch),
        _ => String::new(),
    }
}

/// The tasks of a plan, upstream first.
pub fn of_plan(plan: &PlanView) -> Vec<Item> {
    let indices: std::collections::HashMap<&str, u32> = (0..)
        .zip(&plan.tasks)
        .map(|(index, task)| (task.id.as_str(), index))
        .collect();
    let item = |task: &orchestrator_engine::views::plan::PlannedTask| Item {
        name: task.id.clone(),
        work: format!("{}.{}", task.agent, task.action),
        upstream: task
            .depends_on
            .iter()
            .filter_map(|upstream| indices.get(upstream.as_str()).copied())
            .collect(),
        status: None,
        note: match task.decision.as_str() {
            "run" => format!("on {}", task.choice.resource_class),
            other => other.to_owned(),
        },
        children: None,
    };
    plan.tasks.iter().map(item).collect()
}
