//! Whose changes a page wants to hear of.

use http::request::Parts;
use orchestrator_core::ids::RunId;
use orchestrator_engine::api::{Access, Backend, Problem, runs};

use crate::form::Fields;
use crate::session;

/// The run of `?run=`, if the caller sees it; `None`: all runs, for operators.
///
/// # Errors
/// When the caller may not.
pub async fn whose<B: Backend>(
    backend: &B,
    access: &Access,
    parts: &Parts,
) -> Result<Option<RunId>, Problem> {
    let caller = session::caller(backend, access, &parts.method, &parts.headers)?;
    let query = Fields::read(parts.uri.query().unwrap_or_default());
    match query.text("run") {
        "" => caller.need_operator().map(|()| None),
        run => runs::look_at(backend, &caller, run, |state, _| Some(state.id())).await,
    }
}
