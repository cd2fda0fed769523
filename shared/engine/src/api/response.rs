//! Answers.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::problem::{Code, Problem};

/// An answer of the API.
pub type Answer = Response<Bytes>;

/// A JSON answer.
pub fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    with_type(status, "application/json", body)
}

/// An error's answer.
pub fn problem(problem: &Problem) -> Answer {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = with_type(status, "application/problem+json", problem);
    if let Some(seconds) = problem.retry_after_seconds {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED && problem.code != Code::BadTaskToken.as_str() {
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

fn with_type(status: StatusCode, kind: &'static str, body: &impl Serialize) -> Answer {
    let mut bytes = serde_json::to_vec(body).expect("views are plain data with text keys");
    bytes.push(b'\n');
    let mut answer = Response::new(Bytes::from(bytes));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
