//! One request.

use bytes::Bytes;
use http::header::{ALLOW, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::Carrier;

use super::access::{Access, Caller};
use super::backend::Backend;
use super::problem::{Code, Problem};
use super::query::short;
use super::response::{self, Answer};
use super::route::{self, Matched, Mismatch, Operation};
use super::traced::Traced;
use super::{
    agents, events, later, operations, policies, reports, rollbacks, runs, system, tasks, trace,
    translations, workflows,
};

/// Names a request in logs; taken from the caller or made up, and sent back.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names what the request belongs to in the caller's eyes; sent back as it came.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

const REQUEST_ID_LENGTH_MAX: usize = 128;

/// One request on its way to its operation.
pub(super) struct Asked<'a, B> {
    pub backend: &'a B,
    pub caller: Caller,
    pub matched: &'a Matched<'a>,
    pub parts: &'a Parts,
    pub body: &'a Bytes,
    /// Identifies the request, and the run it starts.
    pub id: RunId,
    pub carrier: Carrier,
}

/// Answers a request. Never fails: whatever goes wrong is an answer too.
pub async fn handle<B: Backend>(backend: &B, access: &Access, request: Request<Bytes>) -> Answer {
    handle_by(backend, access, request, carry_out).await
}

/// The same for a program that only takes runs back: it comes without all other operations.
pub async fn take_back<B: Backend>(backend: &B, access: &Access, request: Request<Bytes>) -> Answer {
    handle_by(backend, access, request, carry_out_taking_back).await
}

async fn handle_by<B: Backend>(
    backend: &B,
    access: &Access,
    request: Request<Bytes>,
    carry_out: impl AsyncFnOnce(Asked<'_, B>) -> Result<Answer, Problem>,
) -> Answer {
    let (parts, body) = request.into_parts();
    let id = backend.new_run_id();
    let request_id = match parts.headers.get(&REQUEST_ID) {
        Some(given) if is_printable(given) => given.clone(),
        _ => HeaderValue::from_str(&id.to_string()).expect("a run id is letters and digits"),
    };
    let traced = Traced::begin(backend, id, &parts);
    let carrier = traced.carrier();
    let answered = match find(access, &parts) {
        Ok(Found::Operation(matched, caller)) => {
            let asked = Asked {
                backend,
                caller,
                matched: &matched,
                parts: &parts,
                body: &body,
                id,
                carrier,
            };
            carry_out(asked).await
        }
        Ok(Found::Answer(answer)) => Ok(answer),
        Err(problem) => Err(problem),
    };
    let mut answer = answered.unwrap_or_else(|problem| response::problem(&problem));
    traced.end(backend, &parts, &answer).await;
    if parts.method == Method::HEAD {
        *answer.body_mut() = Bytes::new();
    }
    answer.headers_mut().insert(REQUEST_ID, request_id);
    if let Some(given) = parts.headers.get(&CORRELATION_ID).filter(|id| is_printable(id)) {
        answer.headers_mut().insert(CORRELATION_ID, given.clone());
    }
    answer
}

/// What a request is for.
enum Found<'a> {
    Operation(Matched<'a>, Caller),
    /// Nothing: it is answered at once.
    Answer(Answer),
}

fn find<'a>(access: &Access, parts: &'a Parts) -> Result<Found<'a>, Problem> {
    let matched = match route::find(&parts.method, parts.uri.path()) {
        Ok(matched) => matched,
        Err(Mismatch::Path) => {
            let detail = format!(
                "there is nothing under '{}' (see /openapi.json)",
                short(parts.uri.path())
            );
            return Err(Problem::new(Code::NoRoute, detail));
        }
        Err(Mismatch::Method(methods)) => return Ok(Found::Answer(wrong_method(&parts.method, &methods))),
    };
    match access.caller(&parts.method, &parts.headers) {
        Ok(caller) => Ok(Found::Operation(matched, caller)),
        Err(_) if matched.route.is_open => Ok(Found::Operation(matched, Caller::nobody())),
        Err(problem) => Err(problem),
    }
}

async fn carry_out<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    match asked.matched.route.operation {
        Operation::SubmitWorkflow => workflows::submit(asked).await,
        Operation::TranslateText => later::translate(asked).await,
        Operation::SuggestWorkflow => translations::suggest(asked).await,
        Operation::GetTranslation => later::get(asked).await,
        Operation::ListAgents => agents::list(asked).await,
        Operation::ClearCache => system::clear_cache(asked).await,
        Operation::ListRuns => runs::list(asked).await,
        Operation::GetRun => runs::get(asked).await,
        Operation::ListEvents => events::list(asked).await,
        Operation::GetTrace => trace::get(asked).await,
        Operation::SetPriority
        | Operation::CancelRun
        | Operation::PauseRun
        | Operation::ResumeRun
        | Operation::RetryRun
        | Operation::ApproveTask
        | Operation::RejectTask
        | Operation::RerunTask => operations::operate(asked).await,
        Operation::RollbackRun => rollbacks::roll_back(asked).await,
        Operation::ListRollbacks => rollbacks::list(asked).await,
        Operation::GetTask => tasks::get(asked).await,
        Operation::ExplainTask => tasks::explain(asked).await,
        Operation::GetLogs => tasks::logs(asked).await,
        Operation::ReportEvent => reports::report(asked).await,
        Operation::ExplainPolicy => policies::explain(asked).await,
        Operation::ListPools => system::pools(asked).await,
        Operation::GetStats => system::stats(asked).await,
        Operation::GetMetrics => system::metrics(asked).await,
        Operation::GetSla => system::sla(asked).await,
        Operation::GetHealth => Ok(system::health()),
        Operation::GetOpenApi => Ok(system::openapi()),
    }
}

async fn carry_out_taking_back<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    match asked.matched.route.operation {
        Operation::RollbackRun => rollbacks::roll_back(asked).await,
        operation if operation.takes_back() => operations::operate(asked).await,
        _ => {
            let detail = "this function only takes runs back: rollback, retry, rerun (send the request to the function intake)";
            Err(Problem::new(Code::NoRoute, detail))
        }
    }
}

fn wrong_method(method: &Method, allowed: &[Method]) -> Answer {
    let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    let allowed = allowed.join(", ");
    let detail = format!(
        "this path has no method '{}' (it has {allowed})",
        short(method.as_str())
    );
    let mut answer = response::problem(&Problem::new(Code::Method, detail));
    answer.headers_mut().insert(
        ALLOW,
        HeaderValue::from_str(&allowed).expect("methods are tokens"),
    );
    answer
}

fn is_printable(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=REQUEST_ID_LENGTH_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}
