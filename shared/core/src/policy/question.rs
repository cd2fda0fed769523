//! What the policy is asked: the facts an answer may depend on. All borrowed: a question is put for every task.

use serde_json::Value;

use crate::ids::RunId;
use crate::pool::PoolUsage;
use crate::time::Timestamp;
use crate::workflow::{OnDenied, ResourceSpec, RetrySpec, Task, Workflow};

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The task that may run.
    pub task: TaskFacts<'a>,
    /// Its run.
    pub run: RunFacts<'a>,
    /// The time of asking.
    pub now: Timestamp,
    /// How full the pools are; only rules see it, so it may be empty unless [`super::Policy::reads_usage`].
    pub usage: &'a [PoolUsage],
}

/// Facts of a task.
#[derive(Debug, Clone, Copy)]
pub struct TaskFacts<'a> {
    /// Id within the workflow.
    pub id: &'a str,
    /// The agent that would do it.
    pub agent: &'a str,
    /// What the agent is asked to do.
    pub action: &'a str,
    /// The action's parameters, references resolved.
    pub params: &'a Value,
    /// See [`Task::priority`].
    pub priority: Option<u8>,
    /// See [`Task::retry`].
    pub retry: RetrySpec,
    /// See [`Task::timeout_ms`].
    pub timeout_ms: Option<u64>,
    /// See [`Task::resources`].
    pub resources: ResourceSpec,
    /// See [`Task::pools`].
    pub pools: &'a [String],
    /// See [`Task::on_denied`].
    pub on_denied: Option<OnDenied>,
    /// Which reset of the task this is, from 1.
    pub epoch: u32,
    /// Which attempt in the epoch it would be, from 1.
    pub attempt: u32,
    /// Whether a person has approved it.
    pub approved: bool,
    /// Inside a `for_each` task: the element and its index.
    pub item: Option<(&'a Value, u32)>,
}

/// Facts of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// Its id; `None` when the question is put before any run exists.
    pub id: Option<RunId>,
    /// Name of the workflow.
    pub workflow: &'a str,
    /// On whose behalf it runs.
    pub client_id: Option<&'a str>,
    /// See [`Workflow::priority`].
    pub priority: Option<u8>,
    /// Its inputs, an object.
    pub inputs: &'a Value,
    /// What the submitter said about it, an object.
    pub metadata: &'a Value,
    /// Tasks of the workflow.
    pub task_count: usize,
    /// When it was submitted.
    pub submitted_at: Timestamp,
}

impl<'a> TaskFacts<'a> {
    /// The facts of a task at its first attempt, with these resolved params.
    pub fn of(task: &'a Task, params: &'a Value) -> TaskFacts<'a> {
        TaskFacts {
            id: &task.id,
            agent: &task.agent,
            action: &task.action,
            params,
            priority: task.priority,
            retry: task.retry,
            timeout_ms: task.timeout_ms,
            resources: task.resources,
            pools: &task.pools,
            on_denied: task.on_denied,
            epoch: 1,
            attempt: 1,
            approved: false,
            item: None,
        }
    }
}

impl<'a> RunFacts<'a> {
    /// The facts of a run of this workflow that does not exist yet, submitted at `now`.
    pub fn planned(
        workflow: &'a Workflow,
        inputs: &'a Value,
        metadata: &'a Value,
        now: Timestamp,
    ) -> RunFacts<'a> {
        RunFacts {
            id: None,
            workflow: &workflow.name,
            client_id: workflow.client_id.as_deref(),
            priority: workflow.priority,
            inputs,
            metadata,
            task_count: workflow.tasks.len(),
            submitted_at: now,
        }
    }
}
