//! `GET /runs/{run}/tasks/{task}`, its explanation and its logs.

use http::StatusCode;
use orchestrator_core::ids::{AttemptKey, NodeIx};
use orchestrator_core::run::RunState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backend::Backend;
use super::handle::Asked;
use super::problem::{Code, Problem};
use super::query::{Query, bad, short};
use super::response::{self, Answer};
use super::runs;
use crate::views::{AttemptView, Attempts, ExplainView, Replay, TaskDetail};

/// Most bytes of logs in an answer.
pub const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;
const LOG_BYTES_DEFAULT: u64 = 64 * 1024;

/// What the agent of an attempt printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Logs")]
pub struct LogsView {
    /// The task.
    pub task: String,
    /// Epoch of the task.
    pub epoch: u32,
    /// Attempt within the epoch.
    pub attempt: u32,
    /// The end of its output and its error output, as they came.
    pub text: String,
    /// Bytes that were kept of both.
    pub bytes: u64,
}

/// Answers `GET /runs/{run}/tasks/{task}`.
pub(super) async fn get<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    let (state, node, attempts) = replay(&asked).await?;
    let detail = TaskDetail::of(&state, node, attempts, asked.backend.now());
    Ok(response::json(StatusCode::OK, &detail))
}

/// Answers `GET /runs/{run}/tasks/{task}/explain`.
pub(super) async fn explain<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    let (state, node, attempts) = replay(&asked).await?;
    let explanation = ExplainView::of(&state, node, attempts, asked.backend.now());
    Ok(response::json(StatusCode::OK, &explanation))
}

/// Answers `GET /runs/{run}/tasks/{task}/logs`.
pub(super) async fn logs<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    let query = Query::read(asked.parts.uri.query(), &["epoch", "attempt", "bytes"])?;
    let bytes_max = query
        .number("bytes", 1..=LOG_BYTES_MAX)?
        .unwrap_or(LOG_BYTES_DEFAULT);
    let task = asked.matched.task().to_owned();
    let current = runs::look(&asked, move |state, _| {
        find(state, &task).map(|node| state.attempt_of(node))
    })
    .await??;
    let key = AttemptKey {
        epoch: query.number("epoch", 1..=u32::MAX)?.unwrap_or(current.epoch),
        attempt: query.number("attempt", 1..=u32::MAX)?.unwrap_or(current.attempt),
        ..current
    };
    if (key.epoch, key.attempt) > (current.epoch, current.attempt) {
        let (epoch, attempt) = (current.epoch, current.attempt);
        return Err(bad(format!(
            "the task has no such attempt (its last is attempt {attempt} of epoch {epoch})"
        )));
    }
    let logs = asked
        .backend
        .logs(key, asked.matched.task(), bytes_max)
        .await?
        .unwrap_or_default();
    let view = LogsView {
        task: asked.matched.task().to_owned(),
        epoch: key.epoch,
        attempt: key.attempt,
        text: logs.text,
        bytes: logs.bytes,
    };
    Ok(response::json(StatusCode::OK, &view))
}

/// The run and the attempts of the task of the request.
async fn replay<B: Backend>(asked: &Asked<'_, B>) -> Result<(RunState, NodeIx, Vec<AttemptView>), Problem> {
    let run = runs::run_id(asked)?;
    let mut attempts = Attempts::of(asked.matched.task());
    let mut replay = Replay::new(run);
    replay
        .advance(asked.backend.journal(), |step| attempts.see(step))
        .await?;
    let state = replay
        .into_state()
        .filter(|state| asked.caller.sees(&state.submission.client_id));
    let state = state.ok_or_else(|| runs::unknown(asked.matched.run()))?;
    let node = find(&state, asked.matched.task())?;
    Ok((state, node, attempts.finish()))
}

/// The node with this name.
pub(super) fn find(state: &RunState, task: &str) -> Result<NodeIx, Problem> {
    state.find(task).ok_or_else(|| {
        let detail = format!(
            "workflow '{}' has no task '{}' (see 'orchestrator get {}')",
            state.workflow.name,
            short(task),
            state.id()
        );
        Problem::new(Code::UnknownTask, detail)
    })
}
