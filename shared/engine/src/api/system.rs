//! Pools, statistics, health, and the API's own description.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::backend::{Backend, Stats};
use super::handle::Asked;
use super::problem::{Code, Problem};
use super::query::Query;
use super::response::{self, Answer};
use crate::metrics::prometheus;
use crate::trace::Context;

/// Answers `GET /pools`. Holders and waiters of other clients are shown as numbers only.
pub(super) async fn pools<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    let mut list = asked.backend.pools().await?;
    if asked.caller.need_operator().is_err() {
        let own = format!("runs:{}", asked.caller.client_id);
        list.pools
            .retain(|pool| !pool.pool.starts_with("runs:") || pool.pool == own);
        for pool in &mut list.pools {
            pool.holders.clear();
            pool.waiters.clear();
        }
    }
    Ok(response::json(StatusCode::OK, &list))
}

/// Answers `GET /stats`; operators only.
pub(super) async fn stats<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    asked.caller.need_operator()?;
    let mut stats = tally(&asked).await?;
    let current = asked.carrier.parent.as_deref().and_then(Context::parse);
    stats.telemetry.current_trace_id = current
        .filter(|_| stats.telemetry.enabled)
        .map(|context| context.trace.to_string());
    Ok(response::json(StatusCode::OK, &stats))
}

/// Answers `GET /metrics`, in the text format of Prometheus; operators only.
pub(super) async fn metrics<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    asked.caller.need_operator()?;
    let text = prometheus::text(&tally(&asked).await?);
    let mut answer = Response::new(Bytes::from(text));
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(prometheus::CONTENT_TYPE),
    );
    Ok(answer)
}

async fn tally<B: Backend>(asked: &Asked<'_, B>) -> Result<Stats, Problem> {
    let stats = asked.backend.stats().await?;
    stats.ok_or_else(|| {
        let detail = "this host keeps no tally of its own (look at its dashboard)";
        Problem::new(Code::Unsupported, detail)
    })
}

/// Answers `GET /sla`. Whoever is no operator sees their own runs only, and no figures of agents.
pub(super) async fn sla<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    const LIMIT: u32 = 50;
    const LIMIT_MAX: u32 = 500;
    let query = Query::read(asked.parts.uri.query(), &["limit"])?;
    let limit = query.number("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT);
    let is_operator = asked.caller.need_operator().is_ok();
    let client = (!is_operator).then_some(asked.caller.client_id.as_str());
    let mut view = asked.backend.sla(client, limit).await?;
    if !is_operator {
        view.agents.clear();
    }
    Ok(response::json(StatusCode::OK, &view))
}

/// Answers `POST /cache/clear`; operators only.
pub(super) async fn clear_cache<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    asked.caller.need_operator()?;
    let cleared = ClearedView {
        forgotten: asked.backend.forget_memos().await?,
        results: asked.backend.forget_results().await?,
    };
    Ok(response::json(StatusCode::OK, &cleared))
}

/// The answer to `POST /cache/clear`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Cleared")]
pub struct ClearedView {
    /// Translations that were forgotten; absent where they are left to expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<u64>,
    /// Kept results of tasks that were forgotten; absent where they are left to expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<u64>,
}

/// Answers `GET /healthz`.
pub(super) fn health() -> Answer {
    response::json(StatusCode::OK, &json!({"status": "ok"}))
}

/// What [`super::openapi::document`] makes. Programs come with the text, not with whatever makes it.
const OPENAPI: &str = include_str!("../../../../docs/openapi.json");

/// Answers `GET /openapi.json`.
pub(super) fn openapi() -> Answer {
    let mut answer = Response::new(Bytes::from_static(OPENAPI.as_bytes()));
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
