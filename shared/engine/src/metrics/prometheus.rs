//! Numbers in the text format of Prometheus, <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write as _};

use super::Durations;
use super::series::{self, Data, Point, Series};
use crate::api::backend::Stats;

/// Media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The numbers of a host.
pub fn text(stats: &Stats) -> String {
    let mut page = Page::default();
    for series in series::all(stats) {
        page.series(&series);
    }
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn series(&mut self, series: &Series<'_>) {
        let unit = match series.unit {
            "" => "",
            "s" => "_seconds",
            "By" => "_bytes",
            other => other,
        };
        let (suffix, kind) = match series.data {
            Data::Counter(_) => ("_total", "counter"),
            Data::Gauge(_) => ("", "gauge"),
            Data::Times(_) => ("", "histogram"),
        };
        let name = format!("{}{unit}{suffix}", series.name);
        // Writing to a string does not fail.
        let _ = writeln!(
            self.0,
            "# HELP orchestrator_{name} {}\n# TYPE orchestrator_{name} {kind}",
            series.what
        );
        match &series.data {
            Data::Counter(points) | Data::Gauge(points) => self.points(&name, points),
            Data::Times(times) => self.times(&name, times),
        }
    }

    fn points(&mut self, name: &str, points: &[Point<'_>]) {
        for point in points {
            self.line(name, point.label, point.value);
        }
    }

    fn times(&mut self, name: &str, times: &Durations) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in &times.buckets {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            self.line(&bucket, Some(("le", &bound)), count);
        }
        self.line(&format!("{name}_sum"), None, times.sum);
        self.line(&format!("{name}_count"), None, times.count);
    }

    fn line(&mut self, name: &str, label: Option<(&str, &str)>, value: impl Display) {
        let label = label.map(|(label, value)| format!("{{{label}=\"{}\"}}", escaped(value)));
        let _ = writeln!(self.0, "orchestrator_{name}{} {value}", label.unwrap_or_default());
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
