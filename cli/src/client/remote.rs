//! A server, over HTTP.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use orchestrator_embedded::http::{config, is_secure};
use orchestrator_engine::views::EventView;

use super::read;
use crate::exit::{Exit, Failure};

/// A server.
#[derive(Debug)]
pub struct Remote {
    base: String,
    token: Option<String>,
    agent: ureq::Agent,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

impl Remote {
    /// The server at a URL such as `http://127.0.0.1:8080`.
    pub fn new(endpoint: &str, token: Option<String>) -> Result<Remote, Failure> {
        let wrong = |why: &str| {
            Failure::usage(format!(
                "the endpoint '{endpoint}' {why} (as in http://127.0.0.1:8080)"
            ))
        };
        let uri: Uri = endpoint.parse().map_err(|_| wrong("is not a URL"))?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            _ => return Err(wrong("does not begin with http:// or https://")),
        }
        if uri.authority().is_none() {
            return Err(wrong("names no host"));
        }
        let config = config(is_secure(endpoint))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .proxy(None)
            .build();
        Ok(Remote {
            base: endpoint.trim_end_matches('/').to_owned(),
            token,
            agent: config.into(),
        })
    }

    /// Where it is.
    pub fn endpoint(&self) -> &str {
        &self.base
    }

    /// Sends a request and reads the whole answer.
    pub fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let answer = self.start(request)?;
        let (parts, mut body) = answer.into_parts();
        let body = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| self.unreachable(&error))?;
        Ok(Response::from_parts(parts, Bytes::from(body)))
    }

    /// The events of a run as they come, after append `after`.
    pub fn events(&self, path: &str, after: u64) -> Result<EventReader, Failure> {
        let request = Request::get(format!("{path}?after={after}"))
            .header(header::ACCEPT, "text/event-stream")
            .body(Bytes::new())
            .expect("the path is encoded");
        let answer = self.start(request)?;
        if !answer.status().is_success() {
            let (parts, mut body) = answer.into_parts();
            let body = body.read_to_vec().map_err(|error| self.unreachable(&error))?;
            return Err(
                match read::<serde_json::Value>(&Response::from_parts(parts, Bytes::from(body))) {
                    Err(failure) => failure,
                    Ok(_) => Failure::unavailable("the server answered something else than events"),
                },
            );
        }
        Ok(EventReader {
            lines: BufReader::new(Box::new(answer.into_body().into_reader())),
        })
    }

    fn start(&self, request: Request<Bytes>) -> Result<Response<ureq::Body>, Failure> {
        let (mut parts, body) = request.into_parts();
        let uri = format!("{}{}", self.base, parts.uri);
        parts.uri = uri
            .parse()
            .map_err(|_| Failure::usage(format!("'{uri}' is not a URL (check --endpoint)")))?;
        if let Some(token) = &self.token {
            let value = format!("Bearer {token}");
            let value = value
                .parse()
                .map_err(|_| Failure::usage("the token has characters a header cannot hold"))?;
            parts.headers.entry(header::AUTHORIZATION).or_insert(value);
        }
        let sent = self.agent.run(Request::from_parts(parts, body.to_vec()));
        sent.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let message = format!(
            "no answer from {}: {error} (is 'orchestrator serve' running there?)",
            self.base
        );
        Failure::new(Exit::Unavailable, message)
    }
}

/// Events as they come.
pub struct EventReader {
    lines: BufReader<Box<dyn Read + Send>>,
}

impl EventReader {
    /// The next event; `None` when the run has ended or the server has closed the stream.
    pub fn next(&mut self) -> Result<Option<EventView>, Failure> {
        let lost = |error: std::io::Error| {
            Failure::unavailable(format!(
                "the stream of events broke off: {error} (ask again with --after)"
            ))
        };
        let mut kind = String::new();
        let mut data = String::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).map_err(lost)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(name) = line.strip_prefix("event: ") {
                kind = name.to_owned();
            } else if let Some(text) = line.strip_prefix("data: ") {
                data.push_str(text);
            } else if line.is_empty() && !data.is_empty() {
                if kind == "end" {
                    return Ok(None);
                }
                let event = serde_json::from_str(&data).map_err(|error| {
                    Failure::unavailable(format!(
                        "an event cannot be read: {error} (is it a server of another version?)"
                    ))
                })?;
                return Ok(Some(event));
            }
        }
    }
}
