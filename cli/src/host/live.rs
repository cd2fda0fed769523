//! Telling pages of the console that something has changed: they ask for what they show themselves.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use orchestrator_core::ids::RunId;
use orchestrator_embedded::Changes;
use tokio::sync::watch;

use super::server::{KEEP_ALIVE, Served};

/// Changes within this time are told together.
const TOGETHER: Duration = Duration::from_millis(100);

struct Telling {
    /// `None`: any run.
    run: Option<RunId>,
    changes: Changes,
    stop: watch::Receiver<bool>,
    is_first: bool,
}

/// Server-sent events: `changed` whenever the run, or any run, may have changed.
pub fn stream(served: &Served, run: Option<RunId>) -> Response {
    let telling = Telling {
        run,
        changes: served.backend.subscribe(),
        stop: served.stop.clone(),
        is_first: true,
    };
    let chunks = stream::unfold(telling, |mut telling| async move {
        let chunk = telling.next().await?;
        Some((
            Ok::<Bytes, Infallible>(Bytes::from_static(chunk.as_bytes())),
            telling,
        ))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

impl Telling {
    async fn next(&mut self) -> Option<&'static str> {
        if std::mem::take(&mut self.is_first) {
            // Something may have changed between the page and this stream.
            return Some("retry: 1000\nevent: changed\ndata:\n\n");
        }
        let changes = &mut self.changes;
        let run = self.run;
        let changed = async {
            match run {
                Some(run) => changes.of(run).await,
                None => changes.any().await,
            }
        };
        tokio::select! {
            goes_on = changed => if !goes_on { return None },
            () = tokio::time::sleep(KEEP_ALIVE) => return Some(": alive\n\n"),
            _ = self.stop.changed() => return None,
        }
        tokio::time::sleep(TOGETHER).await;
        self.changes.catch_up();
        Some("event: changed\ndata:\n\n")
    }
}
