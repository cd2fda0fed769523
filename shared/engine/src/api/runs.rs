//! `GET /runs`, `GET /runs/{run}`, and looking at a run on behalf of a caller.

use http::StatusCode;
use orchestrator_core::ids::RunId;
use orchestrator_core::run::{RunState, RunStatus};

use super::access::Caller;
use super::backend::Backend;
use super::handle::Asked;
use super::problem::{Code, Problem};
use super::query::{Query, bad, short};
use super::response::{self, Answer};
use crate::ports::RunIndex;
use crate::ports::run_index::RunQuery;
use crate::views::run::TaskPage;
use crate::views::{Cursor, RunList, RunView};

const PAGE_DEFAULT: u32 = 50;

/// Answers `GET /runs`.
pub(super) async fn list<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    let known = ["status", "client", "workflow", "limit", "cursor"];
    let query = Query::read(asked.parts.uri.query(), &known)?;
    let limit = query
        .number("limit", 1..=RunQuery::LIMIT_MAX - 1)?
        .unwrap_or(PAGE_DEFAULT);
    let wanted = query.text("client").map(str::to_owned);
    let client_id = match wanted {
        Some(client) if !asked.caller.sees(&client) => {
            return Ok(response::json(
                StatusCode::OK,
                &RunList {
                    runs: Vec::new(),
                    next_cursor: None,
                },
            ));
        }
        Some(client) => Some(client),
        None if asked.caller.need_operator().is_ok() => None,
        None => Some(asked.caller.client_id.clone()),
    };
    let before = match query.text("cursor") {
        Some(text) => Some(text.parse::<Cursor>().map_err(|error| bad(error.to_string()))?.0),
        None => None,
    };
    let wanted = RunQuery {
        statuses: statuses(&query)?,
        client_id,
        workflow: query.text("workflow").map(str::to_owned),
        before,
        limit: limit + 1,
    };
    let summaries = asked.backend.run_index().list(&wanted).await?;
    let list = RunList::of(&summaries, limit as usize, asked.backend.now());
    Ok(response::json(StatusCode::OK, &list))
}

fn statuses(query: &Query<'_>) -> Result<Vec<RunStatus>, Problem> {
    let names = query.all("status").flat_map(|value| value.split(','));
    names
        .filter(|name| !name.is_empty())
        .map(|name| {
            RunStatus::from_name(&name.to_ascii_uppercase()).ok_or_else(|| {
                let all: Vec<&str> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
                bad(format!(
                    "'{}' is not a status of a run ({})",
                    short(name),
                    all.join(", ")
                ))
            })
        })
        .collect()
}

/// Answers `GET /runs/{run}`.
pub(super) async fn get<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    let query = Query::read(asked.parts.uri.query(), &["tasks_after", "tasks_limit", "items"])?;
    let page = TaskPage {
        after: query.number("tasks_after", 0..=u32::MAX)?.unwrap_or(0),
        limit: query
            .number("tasks_limit", 0..=TaskPage::LIMIT_MAX)?
            .unwrap_or(TaskPage::LIMIT_DEFAULT),
        items: query.flag("items")?,
    };
    let now = asked.backend.now();
    let view = look(&asked, move |state, seq| RunView::of(state, seq, page, now)).await?;
    Ok(response::json(StatusCode::OK, &view))
}

/// Looks at the run of the request, if it exists for the caller.
pub(super) async fn look<B: Backend, T: Send + 'static>(
    asked: &Asked<'_, B>,
    see: impl FnOnce(&RunState, u64) -> T + Send + 'static,
) -> Result<T, Problem> {
    look_at(asked.backend, &asked.caller, asked.matched.run(), see).await
}

/// Looks at the run with this id, if it exists for the caller. `see` runs where the host keeps the run: it copies what it
/// needs, and works on it afterwards.
///
/// # Errors
/// When there is no such run for the caller, or it cannot be read.
pub async fn look_at<B: Backend, T: Send + 'static>(
    backend: &B,
    caller: &Caller,
    run: &str,
    see: impl FnOnce(&RunState, u64) -> T + Send + 'static,
) -> Result<T, Problem> {
    let id: RunId = run.parse().map_err(|_| unknown(run))?;
    let caller = caller.clone();
    let look =
        move |state: &RunState, seq: u64| caller.sees(&state.submission.client_id).then(|| see(state, seq));
    backend.inspect(id, look).await?.ok_or_else(|| unknown(run))
}

/// The run id in the path.
pub(super) fn run_id<B>(asked: &Asked<'_, B>) -> Result<RunId, Problem> {
    asked
        .matched
        .run()
        .parse()
        .map_err(|_| unknown(asked.matched.run()))
}

/// The problem with a run that does not exist for the caller.
pub fn unknown(run: &str) -> Problem {
    let detail = format!(
        "there is no run '{}' (see 'orchestrator list' or GET /runs)",
        short(run)
    );
    Problem::new(Code::UnknownRun, detail)
}
