//! Numbers in the form of OTLP 1.x, protocol buffers over HTTP. Everything is cumulative since the process started.

use orchestrator_core::time::Timestamp;

use super::Durations;
use super::series::{self, Data, Point, Series};
use crate::api::backend::Stats;
use crate::trace::otlp::{Resource, nanos, scope};
use crate::trace::protobuf::Message;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u64 = 2;

/// An `ExportMetricsServiceRequest` with the numbers of a process that runs since `start`, as they are `now`.
pub fn request(resource: &Resource, stats: &Stats, start: Timestamp, now: Timestamp) -> Vec<u8> {
    let between = Between {
        start: nanos(start),
        now: nanos(now),
    };
    let mut request = Message::default();
    request.message(1, |resource_metrics| {
        resource_metrics.message(1, |message| resource.write(message));
        resource_metrics.message(2, |scope_metrics| {
            scope_metrics.message(1, scope);
            for series in series::all(stats) {
                scope_metrics.message(2, |message| write(message, &series, between));
            }
        });
    });
    request.into_bytes()
}

/// The time that numbers are about, nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Between {
    start: u64,
    now: u64,
}

/// `Metric`
fn write(message: &mut Message, series: &Series<'_>, between: Between) {
    message.bytes(1, format!("orchestrator.{}", series.name).as_bytes());
    message.bytes(2, series.what.as_bytes());
    message.bytes(3, series.unit.as_bytes());
    match &series.data {
        Data::Gauge(points) => message.message(5, |gauge| write_points(gauge, points, between)),
        Data::Counter(points) => message.message(7, |sum| {
            write_points(sum, points, between);
            sum.varint(2, CUMULATIVE);
            sum.varint(3, 1);
        }),
        Data::Times(times) => message.message(9, |histogram| {
            histogram.message(1, |point| write_times(point, times, between));
            histogram.varint(2, CUMULATIVE);
        }),
    }
}

/// `NumberDataPoint`s
fn write_points(message: &mut Message, points: &[Point<'_>], between: Between) {
    for point in points {
        message.message(1, |number| {
            number.fixed64(2, between.start);
            number.fixed64(3, between.now);
            number.fixed64(6, point.value);
            if let Some((name, value)) = point.label {
                number.message(7, |pair| {
                    pair.bytes(1, name.as_bytes());
                    pair.message(2, |any| any.chosen_bytes(1, value.as_bytes()));
                });
            }
        });
    }
}

/// `HistogramDataPoint`
fn write_times(message: &mut Message, times: &Durations, between: Between) {
    message.fixed64(2, between.start);
    message.fixed64(3, between.now);
    message.fixed64(4, times.count);
    message.fixed64(5, times.sum.to_bits());
    let mut before = 0;
    let (mut counts, mut bounds) = (Vec::new(), Vec::new());
    for (bound, within) in &times.buckets {
        counts.extend((within - before).to_le_bytes());
        before = *within;
        bounds.extend(bound.iter().flat_map(|bound| bound.to_le_bytes()));
    }
    message.bytes(6, &counts);
    message.bytes(7, &bounds);
}
