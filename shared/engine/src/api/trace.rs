//! `GET /runs/{run}/trace`: where the time of a run went.

use http::StatusCode;

use super::backend::Backend;
use super::handle::Asked;
use super::problem::Problem;
use super::query::Query;
use super::response::{self, Answer};
use super::runs;
use crate::trace::history::History;
use crate::views::TraceView;

const TASKS_DEFAULT: usize = 1_000;

/// Answers `GET /runs/{run}/trace`.
pub(super) async fn get<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    let query = Query::read(asked.parts.uri.query(), &["items", "limit"])?;
    let limit = query
        .number("limit", 1..=TraceView::TASKS_MAX)?
        .unwrap_or(TASKS_DEFAULT);
    let items = query.flag("items")?;
    let history = History::read(asked.backend.journal(), runs::run_id(&asked)?).await?;
    if !asked.caller.sees(&history.state.submission.client_id) {
        return Err(runs::unknown(asked.matched.run()));
    }
    let view = TraceView::of(&history, asked.backend.now(), items, limit);
    Ok(response::json(StatusCode::OK, &view))
}
