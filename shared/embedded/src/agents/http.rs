//! One attempt of an HTTP agent: the envelope is sent with POST, the answer is the result or a promise of one.
//!
//! 2xx with a body: the output (or an `error` document, as in an output file). 202: the agent will report through the API
//! with the envelope's token. 408, 429 and 5xx: a transient failure. Anything else: a failure.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use orchestrator_core::run::{Failure, FailureClass, ReportKind};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::envelope::Envelope;

use super::output::{self, Output, failure};
use crate::http::{config, is_secure};

/// Longest time to reach the service.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for an answer when the task has no timeout of its own.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Sends envelopes; keeps connections open between them.
#[derive(Debug, Clone)]
pub(super) struct HttpClient {
    plain: ureq::Agent,
    /// Made when the first service needs it.
    secure: Arc<OnceLock<ureq::Agent>>,
}

/// What came of sending an envelope.
pub(super) enum Answer {
    /// The attempt is over.
    Report(ReportKind),
    /// The agent reports by itself.
    Later,
}

impl HttpClient {
    pub(super) fn new() -> HttpClient {
        HttpClient {
            plain: client(false),
            secure: Arc::default(),
        }
    }

    fn client(&self, url: &str) -> &ureq::Agent {
        match is_secure(url) {
            true => self.secure.get_or_init(|| client(true)),
            false => &self.plain,
        }
    }

    /// Sends the envelope and waits for the answer.
    pub(super) fn post(&self, url: &str, envelope: &Envelope, limit: u64, started_at: Timestamp) -> Answer {
        match self.send(url, envelope, limit) {
            Ok((202, _)) => Answer::Later,
            Ok((status, body)) => Answer::Report(judge(status, &body, limit, started_at)),
            Err(failure) => Answer::Report(ReportKind::Failure(Arc::new(failure))),
        }
    }

    fn send(&self, url: &str, envelope: &Envelope, limit: u64) -> Result<(u16, Vec<u8>), Failure> {
        let transient = |error: ureq::Error| {
            let class = match error {
                ureq::Error::BadUri(_) | ureq::Error::Http(_) => FailureClass::Permanent,
                _ => FailureClass::Transient,
            };
            failure(
                class,
                format!("the agent at '{url}' could not be reached: {error}"),
                None,
            )
        };
        let text = serde_json::to_vec(envelope)
            .map_err(|error| failure(FailureClass::Permanent, error.to_string(), None))?;
        let timeout = envelope
            .timeout_seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let mut request = self
            .client(url)
            .post(url)
            .header("content-type", "application/json")
            .header("idempotency-key", idempotency_key(envelope));
        for (name, value) in envelope.trace_variables() {
            if let Some(value) = value {
                request = request.header(name.to_ascii_lowercase(), &*value);
            }
        }
        let request = request
            .config()
            .timeout_global(Some(timeout.unwrap_or(ANSWER_TIMEOUT)))
            .build();
        let mut response = request.send(&text[..]).map_err(transient)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(limit + 1).read_to_vec();
        match body {
            Ok(body) => Ok((status, body)),
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                Ok((status, vec![b' '; usize::try_from(limit + 1).unwrap_or(0)]))
            }
            Err(error) => Err(transient(error)),
        }
    }
}

fn client(is_secure: bool) -> ureq::Agent {
    let config = config(is_secure).timeout_connect(Some(CONNECT_TIMEOUT));
    config.build().into()
}

/// The same for every delivery of one attempt.
fn idempotency_key(envelope: &Envelope) -> String {
    let Envelope {
        run_id,
        task_id,
        epoch,
        attempt,
        ..
    } = envelope;
    format!("{run_id}/{task_id}/{epoch}/{attempt}")
}

fn judge(status: u16, body: &[u8], limit: u64, started_at: Timestamp) -> ReportKind {
    let failed = match (status, output::parse(body, limit)) {
        (200..=299, Output::Missing) => {
            return ReportKind::Success {
                started_at: Some(started_at),
                output: None,
            };
        }
        (200..=299, Output::Value(value)) => {
            return ReportKind::Success {
                started_at: Some(started_at),
                output: Some(Arc::new(value)),
            };
        }
        (200..=299, Output::Bad(failure)) | (_, Output::Error(failure)) => failure,
        (status, _) => {
            let class = match status {
                408 | 429 | 500..=599 => FailureClass::Transient,
                _ => FailureClass::Error,
            };
            let text = String::from_utf8_lossy(&body[..body.len().min(500)])
                .trim()
                .to_owned();
            let colon = if text.is_empty() { "" } else { ": " };
            failure(
                class,
                format!("the agent answered with status {status}{colon}{text}"),
                None,
            )
        }
    };
    ReportKind::Failure(Arc::new(failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_bodies_map_to_reports() {
        let class_of = |status, body: &[u8]| match judge(status, body, 32, Timestamp(1)) {
            ReportKind::Failure(failure) => Some(failure.class),
            _ => None,
        };
        for (status, body, expected) in [
            (200, &b"{}"[..], None),
            (204, b"", None),
            (200, b"<html>", Some(FailureClass::Error)),
            (200, &[b'1'; 33], Some(FailureClass::Permanent)),
            (302, b"", Some(FailureClass::Error)),
            (404, b"nope", Some(FailureClass::Error)),
            (429, b"", Some(FailureClass::Transient)),
            (503, b"", Some(FailureClass::Transient)),
        ] {
            assert_eq!(class_of(status, body), expected, "{status}");
        }
        let validation = br#"{"error":{"class":"validation","message":"m"}}"#;
        assert!(matches!(
            judge(400, validation, 64, Timestamp(1)),
            ReportKind::Failure(failure) if failure.class == FailureClass::Validation
        ));
    }
}
