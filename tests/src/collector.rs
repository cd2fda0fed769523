//! An OTLP receiver that is not ours, and what it received.

use std::collections::{BTreeMap, BTreeSet};

use mock_collector::{MockServer, Protocol, ServerHandle, TestMetric, TestSpan};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::server::eventually;

/// A receiver on a free port.
#[derive(Debug)]
pub struct Collector {
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
    server: ServerHandle,
}

/// A span as it was received.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Its trace, in hexadecimal.
    pub trace: String,
    /// Its id.
    pub id: String,
    /// Its parent; `None` for the first of its trace.
    pub parent: Option<String>,
    /// What it is.
    pub name: String,
    /// The number of its kind.
    pub kind: i32,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// The same.
    pub end: u64,
    /// What is known of it.
    pub attributes: BTreeMap<String, Value>,
    /// Ids of linked spans.
    pub links: Vec<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// `service.name` of who sent it.
    pub service: String,
}

impl Collector {
    /// Starts a receiver.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Collector {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let builder = MockServer::builder().protocol(Protocol::HttpBinary).port(0);
        let server = elsewhere(|| runtime.block_on(builder.start())).expect("the receiver starts");
        Collector {
            runtime: Some(runtime),
            server,
        }
    }

    /// Its address, for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    /// Spans as they came, repeats included.
    pub fn all(&self) -> Vec<Received> {
        let read = |spans: &[TestSpan]| spans.iter().map(received).collect();
        let runtime = self.runtime.as_ref().expect("it is there until it is dropped");
        elsewhere(|| runtime.block_on(self.server.with_collector(|collector| read(collector.spans()))))
    }

    /// What a receiver shows: a span that came again is one span.
    pub fn spans(&self) -> Vec<Received> {
        let mut seen = BTreeSet::new();
        let mut spans = self.all();
        spans.retain(|span| seen.insert((span.trace.clone(), span.id.clone())));
        spans
    }

    /// Metrics as they came last: for each name its points, each a label and a number. A histogram's number is its count.
    pub fn metrics(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let read = |metrics: &[TestMetric]| metrics.iter().map(|metric| points(metric.metric())).collect();
        let runtime = self.runtime.as_ref().expect("it is there until it is dropped");
        elsewhere(|| runtime.block_on(self.server.with_collector(|collector| read(collector.metrics()))))
    }

    /// Waits until there is a span for which `is_it` holds.
    ///
    /// # Panics
    /// When it does not come.
    pub fn await_span(&self, what: &str, is_it: impl Fn(&Received) -> bool) -> Received {
        eventually(what, || self.spans().into_iter().find(|span| is_it(span)))
    }
}

/// On a thread of its own: a test may itself be asynchronous.
fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join()).expect("it does not panic")
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Received {
    /// An attribute; null when there is none.
    pub fn attribute(&self, name: &str) -> &Value {
        self.attributes.get(name).unwrap_or(&Value::Null)
    }

    /// Whether it is about this task, item or not.
    pub fn is_of(&self, task: &str) -> bool {
        self.attribute("task.id") == task
    }
}

/// Spans whose parent was not received and is not one of `known`.
pub fn orphans<'a>(spans: &'a [Received], known: &[&str]) -> Vec<&'a Received> {
    let ids: BTreeSet<(&str, &str)> = spans
        .iter()
        .map(|span| (span.trace.as_str(), span.id.as_str()))
        .collect();
    let is_known = |span: &Received, parent: &str| {
        known.contains(&parent) || ids.contains(&(span.trace.as_str(), parent))
    };
    spans
        .iter()
        .filter(|span| {
            span.parent
                .as_deref()
                .is_some_and(|parent| !is_known(span, parent))
        })
        .collect()
}

/// The name of a metric and its points.
fn points(metric: &Metric) -> (String, BTreeMap<String, u64>) {
    let label = |attributes: &[KeyValue]| {
        let value = attributes.first().map(|pair| value(pair.value.as_ref()));
        value
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let numbers = |points: &[NumberDataPoint]| -> BTreeMap<String, u64> {
        let point = |point: &NumberDataPoint| {
            let Some(Number::AsInt(number)) = point.value else {
                panic!("{}: every number is whole", metric.name)
            };
            (
                label(&point.attributes),
                u64::try_from(number).expect("no number is negative"),
            )
        };
        points.iter().map(point).collect()
    };
    let points = match metric.data.as_ref().expect("a metric has data") {
        Data::Gauge(gauge) => numbers(&gauge.data_points),
        Data::Sum(sum) => {
            assert!(
                sum.is_monotonic && sum.aggregation_temporality == 2,
                "{}",
                metric.name
            );
            numbers(&sum.data_points)
        }
        Data::Histogram(histogram) => {
            let [point] = histogram.data_points.as_slice() else {
                panic!("{}: one histogram", metric.name)
            };
            assert_eq!(
                point.bucket_counts.len(),
                point.explicit_bounds.len() + 1,
                "{}",
                metric.name
            );
            assert_eq!(
                point.bucket_counts.iter().sum::<u64>(),
                point.count,
                "{}",
                metric.name
            );
            BTreeMap::from([(String::new(), point.count)])
        }
        other => panic!("{}: {other:?}", metric.name),
    };
    (metric.name.clone(), points)
}

fn received(received: &TestSpan) -> Received {
    let span = received.span();
    let attributes = |list: &[KeyValue]| -> BTreeMap<String, Value> {
        let pairs = list
            .iter()
            .map(|pair| (pair.key.clone(), value(pair.value.as_ref())));
        pairs.collect()
    };
    let resource = attributes(received.resource_attrs());
    /// `STATUS_CODE_ERROR`.
    const ERROR: i32 = 2;
    let status = span.status.as_ref();
    Received {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: (!span.parent_span_id.is_empty()).then(|| hex(&span.parent_span_id)),
        name: span.name.clone(),
        kind: span.kind,
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        attributes: attributes(&span.attributes),
        links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
        error: status
            .filter(|status| status.code == ERROR)
            .map(|status| status.message.clone()),
        service: resource
            .get("service.name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    }
}

fn value(any: Option<&AnyValue>) -> Value {
    match any.and_then(|any| any.value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(flag)) => json!(flag),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        Some(Any::ArrayValue(list)) => list.values.iter().map(|any| value(Some(any))).collect(),
        _ => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
