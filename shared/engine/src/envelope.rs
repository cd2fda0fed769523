//! What an agent gets: one JSON document per attempt.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::env_vars;
use orchestrator_core::ids::{AttemptKey, NodeIx, RunId};
use orchestrator_core::policy::Overrides;
use orchestrator_core::run::{RunState, TaskStatus};
use serde::Serialize;
use serde_json::Value;

use crate::trace::Parent;
use crate::views::CheckpointView;

/// The envelope. Field order is the order agents see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Envelope {
    /// The run.
    pub run_id: RunId,
    /// Name of the workflow.
    pub workflow: String,
    /// The task, as in `train`, `train[3]` for an item of a `for_each`, `undo:train#1` for what a rollback undoes.
    pub task_id: String,
    /// The item of a `for_each`; `null` otherwise.
    pub item: Value,
    /// Its index; `null` otherwise.
    pub item_index: Option<u32>,
    /// Epoch of the task, from 1.
    pub epoch: u32,
    /// Attempt within the epoch, from 1.
    pub attempt: u32,
    /// The agent.
    pub agent: String,
    /// What it is asked to do.
    pub action: String,
    /// Parameters, with every reference resolved.
    pub params: Arc<Value>,
    /// The run's inputs.
    pub inputs: Arc<Value>,
    /// Outputs of the direct upstream tasks that have one.
    pub dependencies: BTreeMap<String, Arc<Value>>,
    /// How every direct upstream task ended, as in `SKIPPED`.
    pub upstream: BTreeMap<String, TaskStatus>,
    /// Where and how the policy wants it done.
    pub overrides: Overrides,
    /// Longest run time of this attempt, seconds; `null`: unlimited.
    pub timeout_seconds: Option<f64>,
    /// What was noted in the checkpoint the attempt starts from; `null` when it starts from nothing.
    pub checkpoint: Option<Arc<Value>>,
    /// The checkpoint the attempt starts from and the ones before it, newest first.
    pub checkpoints: Vec<CheckpointView>,
    /// Why a checkpoint that was saved is not the one the attempt starts from; `null` when all is well.
    pub checkpoint_problem: Option<String>,
    /// W3C trace context of the attempt: the parent of the agent's own spans.
    pub traceparent: Option<Parent>,
    /// W3C `tracestate` of the request.
    pub tracestate: Option<String>,
    /// W3C `baggage` of the request.
    pub baggage: Option<String>,
    /// Proves to the API that a report comes from this attempt's agent.
    pub token: String,
}

impl Envelope {
    /// The trace context as environment variables; in lower case they are the names of HTTP headers.
    pub fn trace_variables(&self) -> [(&'static str, Option<Cow<'_, str>>); 3] {
        [
            (env_vars::TRACEPARENT, self.traceparent.as_ref().map(Parent::text)),
            (env_vars::TRACESTATE, self.tracestate.as_deref().map(Cow::from)),
            (env_vars::BAGGAGE, self.baggage.as_deref().map(Cow::from)),
        ]
    }

    /// The envelope of a live attempt.
    ///
    /// # Errors
    /// With the reference that has no value; the run checks references before the task becomes ready, so this is a
    /// change of its inputs under it.
    pub fn of(
        state: &RunState,
        key: AttemptKey,
        token: String,
        parent: Option<Parent>,
    ) -> Result<Envelope, String> {
        let node = state.node(key.node);
        let task = state.task_of(key.node);
        let choice = state.choice_of(key.node).ok_or("the attempt has no choice")?;
        let carried = &state.submission.trace;
        let params = task
            .params
            .resolve(&state.scope(key.node))
            .map_err(|error| error.to_string())?;
        let output = |upstream: &NodeIx| {
            let output = state.node(*upstream).output.clone()?;
            Some((state.workflow.task(*upstream).id.clone(), output))
        };
        let ended = |upstream: &NodeIx| {
            (
                state.workflow.task(*upstream).id.clone(),
                state.node(*upstream).status,
            )
        };
        let (item, item_index) = match state.item_of(key.node) {
            Some((item, index)) => (item.clone(), Some(index)),
            None => (Value::Null, None),
        };
        Ok(Envelope {
            run_id: key.run,
            workflow: state.workflow.name.clone(),
            task_id: state.name_of(key.node),
            item,
            item_index,
            epoch: key.epoch,
            attempt: key.attempt,
            agent: task.agent.clone(),
            action: task.action.clone(),
            params,
            inputs: Arc::clone(&state.submission.inputs),
            dependencies: task.depends_on.iter().filter_map(output).collect(),
            upstream: task.depends_on.iter().map(ended).collect(),
            overrides: choice.overrides.clone(),
            timeout_seconds: choice.timeout_ms.map(|millis| millis as f64 / 1000.0),
            checkpoint: node.checkpoint.as_ref().map(|last| Arc::clone(&last.value)),
            checkpoints: CheckpointView::newest_first(node.checkpoint.as_deref()),
            checkpoint_problem: None,
            traceparent: parent,
            tracestate: carried.state.clone(),
            baggage: carried.baggage.clone(),
            token,
        })
    }
}
