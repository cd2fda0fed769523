//! What is known of a run while it is followed: folded from its events.

use std::collections::BTreeMap;

use orchestrator_engine::views::{At, EventView, RunView};
use serde_json::Value;

/// The tasks of a run and how they are.
#[derive(Debug)]
pub struct Board {
    /// Name of the workflow.
    pub workflow: String,
    /// State of the run.
    pub status: String,
    /// When it was submitted.
    pub submitted_at: At,
    /// The time of the last event.
    pub seen_at: At,
    /// Tasks in the order of the workflow, items of `for_each` tasks behind them.
    pub tasks: Vec<TaskLine>,
    by_name: BTreeMap<String, usize>,
    name_width: usize,
    workflow_tasks: usize,
}

/// One task.
#[derive(Debug, Clone)]
pub struct TaskLine {
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: String,
    /// Where it runs.
    pub class: String,
    /// When the current attempt was queued or started.
    pub began_at: Option<At>,
    /// 0 to 100.
    pub percent: Option<f64>,
    /// What was last said about it.
    pub text: String,
    /// Run time of the attempt that ended.
    pub time_ms: Option<u64>,
}

const NAME_WIDTH_MAX: usize = 32;

impl Board {
    /// The board of a run as first seen.
    pub fn new(run: &RunView) -> Board {
        let mut board = Board {
            workflow: run.workflow.clone(),
            status: run.status.to_string(),
            submitted_at: run.submitted_at,
            seen_at: run.submitted_at,
            tasks: Vec::new(),
            by_name: BTreeMap::new(),
            name_width: 3,
            workflow_tasks: run.tasks_total as usize,
        };
        for task in &run.tasks {
            board.add(&task.id);
        }
        board
    }

    /// Tasks of the workflow, without items.
    pub fn workflow_tasks(&self) -> usize {
        self.workflow_tasks
    }

    /// Width of the column of names.
    pub fn name_width(&self) -> usize {
        self.name_width
    }

    /// Takes note of an event.
    pub fn see(&mut self, event: &EventView) {
        self.seen_at = event.at;
        let Some(name) = &event.task else {
            self.status = event.status.clone();
            return;
        };
        let index = match self.by_name.get(name) {
            Some(index) => *index,
            None => self.add(name),
        };
        let task = &mut self.tasks[index];
        task.status = event.status.clone();
        match event.kind.as_str() {
            "TASK_QUEUED" => {
                task.class = text_of(event, "resource_class");
                task.began_at = Some(event.at);
                task.percent = None;
                task.text = String::new();
            }
            "TASK_STARTED" => task.began_at = Some(event.at),
            "TASK_PROGRESSED" => {
                task.percent = event
                    .data
                    .get("progress")
                    .and_then(|progress| progress.get("percent")?.as_f64());
                let message = event
                    .data
                    .get("progress")
                    .and_then(|progress| progress.get("message")?.as_str());
                task.text = message.unwrap_or_default().to_owned();
            }
            "TASK_SUCCEEDED" | "GROUP_SUCCEEDED" | "TASK_FAILED" => {
                task.time_ms = task.began_at.map(|began| event.at.millis_since(began));
                task.text = if event.status == "FAILED" {
                    event.text.clone()
                } else {
                    String::new()
                };
            }
            "TASK_HELD" | "TASK_SKIPPED" | "TASK_REUSED" | "ATTEMPT_FAILED" | "TASK_EXPANDED" => {
                task.text = event.text.clone()
            }
            _ => task.text = String::new(),
        }
        if event.kind == "TASK_EXPANDED" {
            task.began_at = Some(event.at);
        }
    }

    /// Tasks of the workflow that have ended.
    pub fn ended(&self) -> usize {
        let tasks = self.tasks.iter().take(self.workflow_tasks);
        tasks
            .filter(|task| {
                matches!(
                    task.status.as_str(),
                    "SUCCESS" | "FAILED" | "SKIPPED" | "CANCELLED"
                )
            })
            .count()
    }

    /// Run time of the task an event is about, if it has ended.
    pub fn time_of(&self, event: &EventView) -> Option<u64> {
        self.task_of(event)?.time_ms
    }

    /// Where the task an event is about runs.
    pub fn class_of(&self, event: &EventView) -> Option<String> {
        Some(format!("on {}", self.task_of(event)?.class))
    }

    fn task_of(&self, event: &EventView) -> Option<&TaskLine> {
        self.tasks.get(*self.by_name.get(event.task.as_ref()?)?)
    }

    fn add(&mut self, name: &str) -> usize {
        self.name_width = self.name_width.max(name.chars().count()).min(NAME_WIDTH_MAX);
        self.by_name.insert(name.to_owned(), self.tasks.len());
        self.tasks.push(TaskLine {
            name: name.to_owned(),
            status: "PENDING".to_owned(),
            class: String::new(),
            began_at: None,
            percent: None,
            text: String::new(),
            time_ms: None,
        });
        self.tasks.len() - 1
    }
}

fn text_of(event: &EventView, key: &str) -> String {
    event
        .data
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
