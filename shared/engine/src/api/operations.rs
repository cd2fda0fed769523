//! What people ask of a run: cancel, pause, resume, retry, priority; approve, reject, rerun.

use http::StatusCode;
use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{Command, Rejection, RunState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backend::Backend;
use super::body;
use super::handle::Asked;
use super::problem::{Code, Problem};
use super::query::Query;
use super::response::{self, Answer};
use super::route::Operation;
use super::{runs, tasks};
use crate::ports::run_index::RunSummary;
use crate::views::{RunSummaryView, TaskView};

/// Longest reason that is kept.
pub(super) const REASON_LENGTH_MAX: usize = 1_000;

/// The body of an operation; every key may be left out, or the body as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Operation")]
pub struct OperationBody {
    /// Why, for `cancel` and `reject`; at most 1000 characters are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// 1 to 10, 10 most urgent, for `PATCH /runs/{run}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
}

/// Answers every operation: with the run, or with the task for operations on a task.
pub(super) async fn operate<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    let given: OperationBody = body::small(&asked.parts.headers, asked.body)?;
    let run = runs::run_id(&asked)?;
    let operation = asked.matched.route.operation;
    let task = asked.matched.task().to_owned();
    let node = runs::look(&asked, move |state, _| match on_task(operation) {
        true => tasks::find(state, &task).map(Some),
        false => Ok(None),
    })
    .await??;
    let command = command(operation, node, &asked.caller.client_id, given)?;
    asked.backend.operate(run, command).await?;
    let now = asked.backend.now();
    match node {
        Some(node) => {
            let see = move |state: &RunState, _| TaskView::of(state, node, now);
            Ok(response::json(StatusCode::OK, &runs::look(&asked, see).await?))
        }
        None => {
            let see = move |state: &RunState, _| RunSummaryView::of(&RunSummary::of(state), now);
            Ok(response::json(StatusCode::OK, &runs::look(&asked, see).await?))
        }
    }
}

fn on_task(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::ApproveTask | Operation::RejectTask | Operation::RerunTask
    )
}

fn command(
    operation: Operation,
    node: Option<NodeIx>,
    by: &str,
    given: OperationBody,
) -> Result<Command, Problem> {
    let by = by.to_owned();
    let reason = || {
        let reason = given
            .reason
            .clone()
            .unwrap_or_else(|| "no reason given".to_owned());
        reason.chars().take(REASON_LENGTH_MAX).collect::<String>()
    };
    Ok(match (operation, node) {
        (Operation::CancelRun, _) => Command::Cancel { by, reason: reason() },
        (Operation::PauseRun, _) => Command::Pause { by },
        (Operation::ResumeRun, _) => Command::Resume { by },
        (Operation::RetryRun, _) => Command::Retry { by },
        (Operation::SetPriority, _) => Command::SetPriority {
            by,
            priority: priority(given.priority)?,
        },
        (Operation::ApproveTask, Some(node)) => Command::Approve { node, by },
        (Operation::RejectTask, Some(node)) => Command::Reject {
            node,
            by,
            reason: reason(),
        },
        (Operation::RerunTask, Some(node)) => Command::Rerun { node, by },
        (other, _) => unreachable!("{other:?} is not an operation on a run"),
    })
}

fn priority(given: Option<u8>) -> Result<u8, Problem> {
    match given {
        Some(priority) if (1..=10).contains(&priority) => Ok(priority),
        Some(priority) => Err(Rejection::PriorityOutOfRange(priority).into()),
        None => {
            let detail = "the body has no 'priority' (send {\"priority\": 1 to 10})";
            Err(Problem::new(Code::Malformed, detail))
        }
    }
}
