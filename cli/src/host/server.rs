//! The socket in front of the API and the console: axum, HTTP/1.1.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Method, header};
use orchestrator_console::Console;
use orchestrator_embedded::HostBackend;
use orchestrator_engine::api::events::Feed;
use orchestrator_engine::api::problem::{Code, Problem};
use orchestrator_engine::api::{Access, Backend, body, handle, response};
use orchestrator_engine::views::EventView;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::live;

/// A body that comes slower than this is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Of a body that is too large so much is read and thrown away, so that its sender gets to read the answer.
const DRAINED_MAX: usize = 64 << 20;
/// A stream without events says so often that it is alive.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What every request needs.
#[derive(Clone)]
pub struct Served {
    /// The host.
    pub backend: HostBackend,
    /// Who may ask.
    pub access: Arc<Access>,
    /// The pages for browsers.
    pub console: Arc<Console>,
    /// Becomes true when the server is to stop.
    pub stop: watch::Receiver<bool>,
}

/// Serves until told to stop; requests at work are answered first, streams end.
pub async fn serve(listener: TcpListener, served: Served) -> std::io::Result<()> {
    let mut stop = served.stop.clone();
    let listener = listener.tap_io(|stream| {
        // Without it small answers wait for the next packet; a socket that refuses it still works.
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new().fallback(answer).with_state(served);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            // The sender is gone: nobody can stop us but by dropping us.
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await
}

async fn answer(State(served): State<Served>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if wants_stream(&parts) {
        return match Feed::open(&served.backend, &served.access, &parts).await {
            Ok(feed) => event_stream(served, feed),
            Err(problem) => response::problem(&problem).map(Body::from),
        };
    }
    match orchestrator_console::live_run(&served.backend, &served.access, &parts).await {
        Some(Ok(run)) => return live::stream(&served, run),
        Some(Err(problem)) => return response::problem(&problem).map(Body::from),
        None => {}
    }
    let bytes_max = served.backend.intake().body_bytes_max();
    match tokio::time::timeout(BODY_TIMEOUT, read(body, bytes_max)).await {
        Ok(Ok(bytes)) => {
            let is_page = orchestrator_console::is_for(&parts);
            let request = http::Request::from_parts(parts, bytes);
            let answer = match is_page {
                true => {
                    orchestrator_console::handle(&served.console, &served.backend, &served.access, request)
                        .await
                }
                false => handle(&served.backend, &served.access, request).await,
            };
            answer.map(Body::from)
        }
        Ok(Err(problem)) => response::problem(&problem).map(Body::from),
        Err(_) => {
            let problem = Problem::new(
                Code::Malformed,
                "the body did not arrive in time (send it faster)",
            );
            response::problem(&problem).map(Body::from)
        }
    }
}

async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let mut count = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|error| Problem::new(Code::Malformed, format!("the body broke off: {error}")))?;
        count += chunk.len();
        match count {
            count if count <= bytes_max => bytes.extend_from_slice(&chunk),
            count if count <= DRAINED_MAX => bytes = BytesMut::new(),
            _ => break,
        }
    }
    match count <= bytes_max {
        true => Ok(bytes.freeze()),
        false => Err(body::too_large(bytes_max)),
    }
}

fn wants_stream(parts: &http::request::Parts) -> bool {
    let accepts = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    parts.method == Method::GET
        && parts.uri.path().ends_with("/events")
        && accepts.is_some_and(|accepts| accepts.contains("text/event-stream"))
}

/// Server-sent events: one message for each event; the last event of an append carries the append's number as its id, so
/// that a client that reconnects misses nothing. The stream ends with the message `end` when the run has ended.
fn event_stream(served: Served, feed: Feed) -> Response {
    let changes = served.backend.subscribe();
    let streaming = Streaming {
        served,
        feed,
        changes,
        has_ended: false,
        is_first: true,
    };
    let chunks = stream::unfold(streaming, |mut streaming| async move {
        let chunk = streaming.next().await?;
        Some((Ok::<Bytes, Infallible>(chunk), streaming))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

struct Streaming {
    served: Served,
    feed: Feed,
    changes: orchestrator_embedded::Changes,
    has_ended: bool,
    is_first: bool,
}

impl Streaming {
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        loop {
            if !std::mem::take(&mut self.is_first) {
                let run = self.feed.run();
                tokio::select! {
                    goes_on = self.changes.of(run) => if !goes_on { return None },
                    () = tokio::time::sleep(KEEP_ALIVE) => return Some(Bytes::from_static(b": alive\n\n")),
                    _ = self.served.stop.changed() => return None,
                }
            }
            let events = match self.feed.next(&self.served.backend).await {
                Ok(events) => events,
                Err(problem) => {
                    self.has_ended = true;
                    return Some(message("problem", None, &problem));
                }
            };
            let status = self.feed.status();
            self.has_ended = status.is_some_and(|status| status.is_terminal());
            if events.is_empty() && !self.has_ended {
                continue;
            }
            let mut chunk = BytesMut::new();
            for (index, event) in events.iter().enumerate() {
                let is_last = events.get(index + 1).is_none_or(|next| next.seq != event.seq);
                chunk.extend_from_slice(&event_message(event, is_last));
            }
            if self.has_ended {
                chunk.extend_from_slice(&message("end", None, &serde_json::json!({"status": status})));
            }
            return Some(chunk.freeze());
        }
    }
}

fn event_message(event: &EventView, is_last: bool) -> Bytes {
    message(&event.kind, is_last.then_some(event.seq), event)
}

fn message(kind: &str, id: Option<u64>, data: &impl serde::Serialize) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data = serde_json::to_string(data).expect("views are plain data with text keys");
    Bytes::from(format!("{id}event: {kind}\ndata: {data}\n\n"))
}
