//! Texts that are translated later: `POST /workflows/translate`, `GET /translation/{token}`, and the work itself.
//!
//! A text that is accepted is kept under its token, with what becomes of it. Whoever works on it may be asked to do so more than once:
//! what has come to an end stays as it is.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use orchestrator_core::ids::RunId;
use serde_json::Value;

use super::backend::Backend;
use super::handle::Asked;
use super::problem::{Code, Problem};
use super::query::{Query, short};
use super::response::{self, Answer};
use super::translations::{TextBody, request, text_body, wants_fresh};
use super::workflows::{self, client_of, object};
use crate::error::HostError;
use crate::translation::{Job, Record, Status};
use crate::views::{TranslationAccepted, TranslationView};

/// Answers `POST /workflows/translate`.
pub(super) async fn translate<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    workflows::take_token(&asked).await?;
    let body: TextBody = text_body(&asked)?;
    let job = Job {
        token: asked.id,
        client_id: client_of(&asked, body.client_id, None)?,
        text: body.natural_language,
        metadata: Value::Object(object("metadata", body.metadata)?),
        is_fresh: wants_fresh(&asked),
        traceparent: asked.carrier.parent.clone(),
    };
    request(asked.backend, &job)?;
    accept(asked.backend, job).await
}

/// Keeps a text and has it translated later.
pub(super) async fn accept<B: Backend>(backend: &B, job: Job) -> Result<Answer, Problem> {
    let token = job.token;
    let record = Record::queued(job.clone(), backend.now());
    keep(backend, &record).await?;
    if let Err(problem) = backend.translate_later(job).await {
        // Nobody will come back to it.
        let failed = record.finished(Err(problem.detail.clone()), backend.now());
        if let Err(error) = keep(backend, &failed).await {
            tracing::warn!(%token, %error, "a translation that nobody works on stays queued");
        }
        return Err(problem);
    }
    Ok(accepted(token))
}

/// The answer to a text that is translated later.
pub(super) fn accepted(token: RunId) -> Answer {
    let accepted = TranslationAccepted {
        token,
        status: Status::Queued,
    };
    let mut answer = response::json(StatusCode::ACCEPTED, &accepted);
    let location =
        HeaderValue::from_str(&format!("/translation/{token}")).expect("a token is letters and digits");
    answer.headers_mut().insert(LOCATION, location);
    answer
}

/// Translates a text that was accepted, and keeps what becomes of it.
///
/// # Errors
/// When that cannot be kept.
pub async fn work<B: Backend>(backend: &B, job: Job) -> Result<(), Problem> {
    work_on(backend, Record::queued(job, backend.now())).await
}

/// Translates a text that was accepted under a token, unless that has been done; tells whether there was something to do. A token that
/// is not known any more has nothing left to do.
///
/// # Errors
/// When the store cannot be reached, or what becomes of the text cannot be kept.
pub async fn take_up<B: Backend>(backend: &B, token: RunId) -> Result<bool, Problem> {
    match record(backend, token).await? {
        Some(record) if record.finished_at.is_none() => work_on(backend, record).await.map(|()| true),
        _ => Ok(false),
    }
}

/// Ends a translation that could not be made, unless it has ended.
///
/// # Errors
/// When the store cannot be reached.
pub async fn give_up<B: Backend>(backend: &B, token: RunId, why: &str) -> Result<(), Problem> {
    match record(backend, token).await? {
        Some(record) if record.finished_at.is_none() => {
            let failed = record.finished(Err(why.to_owned()), backend.now());
            Ok(keep(backend, &failed).await?)
        }
        _ => Ok(()),
    }
}

async fn work_on<B: Backend>(backend: &B, mut record: Record) -> Result<(), Problem> {
    record.status = Status::Processing;
    keep(backend, &record).await?;
    let answer = match request(backend, &record.job) {
        Ok(request) => backend
            .translate(&request)
            .await
            .map_err(|error| error.to_string()),
        Err(problem) => Err(problem.detail),
    };
    keep(backend, &record.finished(answer, backend.now())).await?;
    Ok(())
}

pub(super) async fn keep<B: Backend>(backend: &B, record: &Record) -> Result<(), HostError> {
    let value = serde_json::to_vec(record).expect("a record is plain data");
    let until = backend.now() + backend.intake().translation.keep_ms;
    backend.keep(&Record::key(record.job.token), &value, until).await
}

async fn record<B: Backend>(backend: &B, token: RunId) -> Result<Option<Record>, HostError> {
    let kept = backend.kept(&Record::key(token)).await?;
    Ok(kept.and_then(|kept| serde_json::from_slice(&kept).ok()))
}

/// Answers `GET /translation/{token}`.
pub(super) async fn get<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    let token = asked.matched.run();
    let unknown = || {
        let detail = format!(
            "there is no translation '{}' (they are kept for a while)",
            short(token)
        );
        Problem::new(Code::UnknownTranslation, detail)
    };
    let id: RunId = token.parse().map_err(|_| unknown())?;
    let record = record(asked.backend, id)
        .await?
        .filter(|record| asked.caller.sees(&record.job.client_id))
        .ok_or_else(unknown)?;
    Ok(response::json(StatusCode::OK, &TranslationView::of(record)))
}
