//! `GET /runs/{run}/events`: the history page by page, and as a feed for hosts that can stream.

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunStatus;

use super::access::Access;
use super::backend::Backend;
use super::handle::Asked;
use super::problem::Problem;
use super::query::Query;
use super::response::{self, Answer};
use super::traced::Traced;
use super::{route, runs};
use crate::views::{EventPage, EventView, Replay};

const PAGE_DEFAULT: usize = 1_000;
const PAGE_MAX: usize = 10_000;

/// Answers `GET /runs/{run}/events`.
pub(super) async fn list<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    let query = Query::read(asked.parts.uri.query(), &["after", "limit"])?;
    let after: u64 = query.number("after", 0..=u64::MAX)?.unwrap_or(0);
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE_DEFAULT);
    let mut replay = Replay::new(runs::run_id(&asked)?);
    let mut events: Vec<EventView> = Vec::new();
    let mut has_more = false;
    let collect = |step: crate::views::replay::Step<'_>| {
        let is_full = events.len() >= limit && events.last().is_some_and(|last| last.seq != step.seq);
        if step.seq > after && !has_more {
            match is_full {
                true => has_more = true,
                false => events.push(EventView::of(step)),
            }
        }
    };
    replay.advance(asked.backend.journal(), collect).await?;
    let state = replay
        .state()
        .filter(|state| asked.caller.sees(&state.submission.client_id));
    let status = state.ok_or_else(|| runs::unknown(asked.matched.run()))?.status;
    let next_after = events.last().map_or(after, |last| last.seq);
    Ok(response::json(
        StatusCode::OK,
        &EventPage {
            events,
            next_after,
            has_more,
            status,
        },
    ))
}

/// The events of one run as they come. The host asks for the next ones whenever something may have happened.
#[derive(Debug)]
pub struct Feed {
    run: RunId,
    replay: Replay,
    after: u64,
}

impl Feed {
    /// All events of a run, for hosts that have checked who asks.
    pub fn of(run: RunId) -> Feed {
        Feed::after(run, 0)
    }

    /// Events of appends after this one.
    pub fn after(run: RunId, after: u64) -> Feed {
        Feed {
            run,
            replay: Replay::new(run),
            after,
        }
    }

    /// Opens the feed a request asks for: after `?after=`, or after the append that `Last-Event-ID` names.
    ///
    /// # Errors
    /// When the caller may not, or the run does not exist for it.
    pub async fn open<B: Backend>(backend: &B, access: &Access, parts: &Parts) -> Result<Feed, Problem> {
        let traced = Traced::begin(backend, backend.new_run_id(), parts);
        let opened = Feed::try_open(backend, access, parts).await;
        let answer = match &opened {
            Ok(_) => Response::new(Bytes::new()),
            Err(problem) => response::problem(problem),
        };
        // The span ends where the stream begins: a stream may go on for days.
        traced.end(backend, parts, &answer).await;
        opened
    }

    async fn try_open<B: Backend>(backend: &B, access: &Access, parts: &Parts) -> Result<Feed, Problem> {
        let unknown = || runs::unknown(parts.uri.path());
        let matched = route::find(&parts.method, parts.uri.path()).map_err(|_| unknown())?;
        let caller = access.caller(&parts.method, &parts.headers)?;
        let query = Query::read(parts.uri.query(), &["after", "limit"])?;
        let last_seen = parts
            .headers
            .get("last-event-id")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let after = last_seen.or(query.number("after", 0..=u64::MAX)?).unwrap_or(0);
        let run: RunId = matched.run().parse().map_err(|_| runs::unknown(matched.run()))?;
        let look =
            move |state: &orchestrator_core::run::RunState, _| caller.sees(&state.submission.client_id);
        match backend.inspect(run, look).await? {
            true => Ok(Feed {
                run,
                replay: Replay::new(run),
                after,
            }),
            false => Err(runs::unknown(matched.run())),
        }
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// What happened since the last call.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn next<B: Backend>(&mut self, backend: &B) -> Result<Vec<EventView>, Problem> {
        let mut events = Vec::new();
        let after = self.after;
        let collect = |step: crate::views::replay::Step<'_>| {
            if step.seq > after {
                events.push(EventView::of(step));
            }
        };
        self.replay.advance(backend.journal(), collect).await?;
        Ok(events)
    }

    /// State of the run as far as it has been read.
    pub fn status(&self) -> Option<RunStatus> {
        self.replay.state().map(|state| state.status)
    }
}
