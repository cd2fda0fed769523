//! Sends spans to a collector from a function: everything at once, before the invocation is answered, because the process is
//! frozen between invocations.
//!
//! A flush costs its own round trip and is given up after a while. After a failure nothing is sent for some time, so that a
//! collector that is away costs one time-out now and then, not one per invocation.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::trace::otlp::{CONTENT_TYPE, Request};
use orchestrator_engine::trace::{Export, Queue, Record, Sink};

/// Longest time a flush may take, whatever the environment allows.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// After a failure nothing is sent for so long, milliseconds.
const PAUSE_MS: u64 = 30_000;

/// Spans of an invocation.
#[derive(Debug)]
pub struct Traces {
    export: Export,
    connector: SharedHttpConnector,
    queue: Arc<Queue>,
    /// Spans that did not fit into the queue and were told of.
    told: AtomicU64,
    /// Until when nothing is sent, milliseconds since 1970.
    paused_until: AtomicI64,
}

impl Traces {
    /// Sends over the process's connections.
    pub fn new(export: Export, connector: SharedHttpConnector) -> Traces {
        Traces {
            queue: Arc::new(Queue::new(export.queue_max)),
            export,
            connector,
            told: AtomicU64::new(0),
            paused_until: AtomicI64::new(0),
        }
    }

    /// Sends what there is, at `now`. Failures are told in the log and cost the spans.
    pub async fn flush(&self, now: Timestamp) {
        let dropped = self.queue.dropped();
        let told = self.told.swap(dropped, Ordering::Relaxed);
        if dropped > told {
            tracing::warn!(
                spans = dropped - told,
                "an invocation made more spans than are sent"
            );
        }
        if now.0 < self.paused_until.load(Ordering::Relaxed) {
            self.queue.drop_all();
            self.told.store(self.queue.dropped(), Ordering::Relaxed);
            return;
        }
        self.queue.take();
        let mut request = Request::new(&self.export.resource, Vec::new());
        while self.queue.make(usize::MAX, |span| request.add(&span)) {}
        let spans = request.spans();
        if spans == 0 {
            return;
        }
        let body = request.into_bytes();
        let timeout = self.export.timeout.min(FLUSH_TIMEOUT);
        let problem = match tokio::time::timeout(timeout, self.post(body)).await {
            Ok(Ok(200..=299)) => return,
            Ok(Ok(status)) => format!("the collector answered {status}"),
            Ok(Err(problem)) => problem,
            Err(_) => format!("no answer within {} ms", timeout.as_millis()),
        };
        self.paused_until.store((now + PAUSE_MS).0, Ordering::Relaxed);
        let endpoint = &self.export.endpoint;
        tracing::warn!(endpoint, problem, spans, "traces cannot be delivered");
    }

    /// The status of the answer.
    async fn post(&self, body: Vec<u8>) -> Result<u16, String> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").map_err(|error| error.to_string())?;
        request
            .set_uri(self.export.endpoint.as_str())
            .map_err(|error| format!("'{}' is not a URL: {error}", self.export.endpoint))?;
        let headers = request.headers_mut();
        headers.insert("content-type", CONTENT_TYPE);
        for (name, value) in &self.export.headers {
            headers
                .try_insert(name.clone(), value.clone())
                .map_err(|error| error.to_string())?;
        }
        let answer = self.connector.call(request).await;
        answer
            .map(|answer| answer.status().as_u16())
            .map_err(|error| error.to_string())
    }
}

impl Sink for Traces {
    fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    fn take(&self, record: Record) {
        self.queue.push(record);
    }

    /// They are sent at the end of the invocation, however many they are.
    fn noted(&self, _: Range<usize>) {}
}
