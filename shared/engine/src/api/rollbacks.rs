//! `POST /runs/{run}/rollback` and `GET /runs/{run}/rollbacks`.

use http::StatusCode;
use orchestrator_core::run::rollback::{self, PlanToken, Request, Target};
use orchestrator_core::run::{Command, Rejection, RunState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backend::Backend;
use super::handle::Asked;
use super::operations::REASON_LENGTH_MAX;
use super::problem::{Code, Problem};
use super::query::Query;
use super::response::{self, Answer};
use super::{body, runs, tasks};
use crate::error::Error;
use crate::ports::run_index::RunSummary;
use crate::views::{Replay, RollbackAnswer, RollbackPlanView, Rollbacks, RunSummaryView};

/// How often a rollback without a token is planned again because the run has moved on in between.
const PLANS_MAX: u32 = 8;

/// The body of a rollback: exactly one of `steps`, `to_task` and `tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RollbackRequest")]
pub struct RollbackBody {
    /// Take back the last so many tasks that succeeded, and everything downstream of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Take back this task, and everything downstream of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_task: Option<String>,
    /// Take back these tasks, and everything downstream of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<String>>,
    /// Why; required unless it is a preview. At most 1000 characters are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Change nothing: say what it would do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The `plan_token` of a preview: refused if the plan would be another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_token: Option<String>,
    /// Tasks start without their checkpoints.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
}

/// Answers `POST /runs/{run}/rollback`.
pub(super) async fn roll_back<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    let given: RollbackBody = body::small(&asked.parts.headers, asked.body)?;
    let shown = match &given.plan_token {
        Some(text) => Some(
            text.parse::<PlanToken>()
                .map_err(|error| malformed(error.to_string()))?,
        ),
        None => None,
    };
    let run = runs::run_id(&asked)?;
    for _ in 0..PLANS_MAX {
        let (request, token, plan) = plan(&asked, &given).await?;
        if given.dry_run {
            return answer(&asked, plan, None).await;
        }
        let command = Command::Rollback {
            request,
            // What is answered is what is applied.
            token: Some(shown.unwrap_or(token)),
            by: asked.caller.client_id.clone(),
            reason: given
                .reason
                .iter()
                .flat_map(|reason| reason.chars())
                .take(REASON_LENGTH_MAX)
                .collect(),
        };
        match asked.backend.operate(run, command).await {
            Ok(()) => {
                let number = runs::look(&asked, |state, _| state.rollbacks().len()).await?;
                return answer(&asked, plan, Some(number)).await;
            }
            Err(Error::Rejected(Rejection::PlanChanged { .. })) if shown.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let detail = "the run moves on faster than its rollback can be planned (pause it first, or try again)";
    Err(Problem::new(Code::Unavailable, detail).retry_after(1))
}

/// The plan of what is asked for, as things stand.
async fn plan<B: Backend>(
    asked: &Asked<'_, B>,
    given: &RollbackBody,
) -> Result<(Request, PlanToken, RollbackPlanView), Problem> {
    let given = given.clone();
    runs::look(asked, move |state, _| {
        let request = request(state, &given)?;
        let plan = rollback::plan(state, &request)?;
        Ok((request, plan.token, RollbackPlanView::of(state, &plan)))
    })
    .await?
}

fn request(state: &RunState, given: &RollbackBody) -> Result<Request, Problem> {
    let target = match (given.steps, &given.to_task, &given.tasks) {
        (Some(steps), None, None) => Target::Steps(steps),
        (None, Some(task), None) => Target::ToTask(tasks::find(state, task)?),
        (None, None, Some(names)) => {
            let nodes: Result<_, Problem> = names.iter().map(|task| tasks::find(state, task)).collect();
            Target::Tasks(nodes?)
        }
        _ => {
            let detail = "the body says not or not only where to go back to (send one of 'steps', 'to_task' and 'tasks')";
            return Err(malformed(detail));
        }
    };
    let fresh = given.fresh;
    Ok(Request { target, fresh })
}

async fn answer<B: Backend>(
    asked: &Asked<'_, B>,
    plan: RollbackPlanView,
    number: Option<usize>,
) -> Result<Answer, Problem> {
    let now = asked.backend.now();
    let see = move |state: &RunState, _| RunSummaryView::of(&RunSummary::of(state), now);
    let answer = RollbackAnswer {
        applied: number.is_some(),
        plan,
        rollback: number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
        run: runs::look(asked, see).await?,
    };
    Ok(response::json(StatusCode::OK, &answer))
}

/// Answers `GET /runs/{run}/rollbacks`.
pub(super) async fn list<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    let run = runs::run_id(&asked)?;
    let mut rollbacks = Rollbacks::default();
    let mut replay = Replay::new(run);
    replay
        .advance_from(
            asked.backend.journal(),
            |state, event| rollbacks.before(state, event),
            |_| {},
        )
        .await?;
    let state = replay
        .into_state()
        .filter(|state| asked.caller.sees(&state.submission.client_id))
        .ok_or_else(|| runs::unknown(asked.matched.run()))?;
    Ok(response::json(StatusCode::OK, &rollbacks.finish(&state)))
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(Code::Malformed, detail)
}
