//! One request of a browser.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use orchestrator_engine::api::response::Answer;
use orchestrator_engine::api::route::decode;
use orchestrator_engine::api::{Access, Backend, Caller, Code, Problem};

use crate::form::Fields;
use crate::graph::Layouts;
use crate::shell::{self, Frame, redirect};
use crate::visit::Visit;
use crate::{asset, origin, page, session, url};

/// How pages learn that something has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// The host sends server-sent events under [`live_run`]'s addresses.
    Stream,
    /// Pages ask again every few seconds; what has not changed is not sent again.
    Poll,
}

/// The console of a host: what it keeps from one request to the next.
#[derive(Debug)]
pub struct Console {
    pub(crate) live: Live,
    pub(crate) layouts: Layouts,
}

impl Console {
    /// For a host that tells of changes in this way.
    pub fn new(live: Live) -> Console {
        Console {
            live,
            layouts: Layouts::default(),
        }
    }
}

/// Only what this server itself sends is run, shown or loaded; forms go nowhere else, and no page frames these.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Whether a request is the console's: what is below `/ui`, and `/` when a browser asks for it.
pub fn is_for(parts: &Parts) -> bool {
    let path = parts.uri.path();
    let accepts = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let is_start = path == "/" && accepts.is_some_and(|accepts| accepts.contains("text/html"));
    is_start || path == url::BASE || path.starts_with("/ui/")
}

/// Whose changes a request wants to hear of, for hosts with [`Live::Stream`]: `None` when it asks for something else,
/// `Some(None)` for all runs.
///
/// # Errors
/// When the caller may not.
pub async fn live_run<B: Backend>(
    backend: &B,
    access: &Access,
    parts: &Parts,
) -> Option<Result<Option<orchestrator_core::ids::RunId>, Problem>> {
    if parts.method != Method::GET || parts.uri.path() != "/ui/live" {
        return None;
    }
    Some(page::live::whose(backend, access, parts).await)
}

/// Answers a request. Never fails: whatever goes wrong is a page too.
pub async fn handle<B: Backend>(
    console: &Console,
    backend: &B,
    access: &Access,
    request: Request<Bytes>,
) -> Answer {
    let (parts, body) = request.into_parts();
    let mut answer = match path(&parts) {
        Some(path) => answer(console, backend, access, (&parts, &body), &path).await,
        None => {
            let page = page::problem(&page::nothing_here(parts.uri.path()));
            shell::render(page, &parts, &Frame::closed())
        }
    };
    if parts.method == Method::HEAD {
        *answer.body_mut() = Bytes::new();
    }
    let headers = answer.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The segments behind `/ui`, decoded.
fn path(parts: &Parts) -> Option<Vec<String>> {
    let rest = parts.uri.path().strip_prefix(url::BASE).unwrap_or_default();
    let segments = rest.split('/').filter(|segment| !segment.is_empty());
    segments
        .map(|segment| decode(segment).map(|segment| segment.into_owned()))
        .collect()
}

async fn answer<B: Backend>(
    console: &Console,
    backend: &B,
    access: &Access,
    (parts, body): (&Parts, &Bytes),
    path: &[String],
) -> Answer {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let query = Fields::read(parts.uri.query().unwrap_or_default());
    if let ["assets", name] = path.as_slice() {
        return asset::answer(name).unwrap_or_else(not_found);
    }
    if !matches!(parts.method, Method::GET | Method::HEAD | Method::POST) {
        let problem = Problem::new(Code::Method, "a page has no such method (it has GET and POST)");
        return shell::render(page::problem(&problem), parts, &Frame::closed());
    }
    let is_post = parts.method == Method::POST;
    let form = match is_post {
        true => origin::need_own(&parts.headers).and_then(|()| Fields::of_form(&parts.headers, body)),
        false => Ok(Fields::default()),
    };
    let form = match form {
        Ok(form) => form,
        Err(problem) => return shell::render(page::problem(&problem), parts, &Frame::closed()),
    };
    match (is_post, path.as_slice()) {
        (false, ["sign-in"]) if access.wants_token() => {
            return shell::render(session::page(query.text("to"), None), parts, &Frame::closed());
        }
        (true, ["sign-in"]) if access.wants_token() => {
            let is_secure = parts
                .headers
                .get("x-forwarded-proto")
                .is_some_and(|scheme| scheme == "https");
            return session::sign_in(backend, access, &form, is_secure)
                .unwrap_or_else(|page| shell::render(page, parts, &Frame::closed()));
        }
        (true, ["sign-out"]) => return session::sign_out(),
        _ => {}
    }
    let caller = match session::caller(backend, access, &parts.method, &parts.headers) {
        Ok(caller) => caller,
        Err(problem) => return refuse(access, parts, &problem),
    };
    let frame = Frame::of(&caller, access.wants_token());
    let visit = Visit {
        console,
        backend,
        access: Access::known(Some(Caller::clone(&caller))),
        caller,
        parts,
        query,
        form,
    };
    let page = match is_post {
        true => page::act(&visit, &path).await,
        false => page::show(&visit, &path).await,
    };
    match page {
        Ok(page::Shown::Page(page)) => shell::render(page, parts, &frame),
        Ok(page::Shown::Other(answer)) => answer,
        Err(problem) => shell::render(page::problem(&problem), parts, &frame),
    }
}

/// Whoever has no session is asked to sign in, where that is possible.
fn refuse(access: &Access, parts: &Parts, problem: &Problem) -> Answer {
    let is_page = parts.method != Method::POST;
    if access.wants_token() && is_page {
        let to = parts.uri.path_and_query().map_or("/ui/runs", |to| to.as_str());
        let to = url::with(&format!("{}/sign-in", url::BASE), &[("to", to)]);
        let mut answer = redirect(&to);
        // A part of a page cannot be replaced by the page to sign in on: the whole page goes there.
        if shell::wants_part(parts) {
            let to = HeaderValue::from_str(&to).expect("an encoded address is ASCII");
            *answer.status_mut() = StatusCode::OK;
            answer.headers_mut().insert("hx-redirect", to);
        }
        return answer;
    }
    shell::render(page::problem(problem), parts, &Frame::closed())
}

fn not_found() -> Answer {
    let mut answer = Response::new(Bytes::from_static(b"there is no such file\n"));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}
