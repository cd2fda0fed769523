//! `POST /policy/explain`: what the policy would choose for a workflow that does not run yet, and how it gets there.

use http::StatusCode;

use super::backend::Backend;
use super::handle::Asked;
use super::problem::Problem;
use super::query::Query;
use super::response::{self, Answer};
use super::workflows::{self, Submitted};
use crate::views::PlanView;
use crate::views::plan::Planned;

/// Answers the request; the body is that of `POST /workflows`.
pub(super) async fn explain<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    let query = Query::read(asked.parts.uri.query(), &["task"])?;
    workflows::take_token(&asked).await?;
    let submitted = Submitted::read(&asked)?;
    let mut plan = plan(&asked, &submitted, true);
    if let Some(task) = query.text("task") {
        plan.tasks.retain(|planned| planned.id == task);
        if plan.tasks.is_empty() {
            return Err(workflows::unknown_task(&submitted.workflow, task));
        }
    }
    Ok(response::json(StatusCode::OK, &plan))
}

/// The plan of what was submitted.
pub(super) fn plan<B: Backend>(asked: &Asked<'_, B>, submitted: &Submitted, steps: bool) -> PlanView {
    let planned = Planned {
        workflow: &submitted.workflow,
        client_id: &submitted.client_id,
        inputs: &submitted.inputs,
        metadata: &submitted.metadata,
        now: asked.backend.now(),
    };
    PlanView::of(asked.backend.policy(), planned, steps)
}
