//! Numbers in the text format of Prometheus, <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::Durations;
use crate::api::backend::{PoolStats, Stats};

/// Media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The numbers of a host.
pub fn text(stats: &Stats) -> String {
    let mut page = Page::default();
    let Stats { counted, .. } = stats;
    let (tasks, journal) = (&counted.tasks, &counted.journal);
    page.labelled(
        "runs_total",
        "Runs by what happened.",
        "event",
        &counted.runs.by_event,
    );
    page.times(
        "run_seconds",
        "From submission to the end of a run.",
        &counted.runs.seconds,
    );
    page.labelled(
        "tasks_total",
        "Tasks that ended, by state.",
        "status",
        &tasks.by_status,
    );
    page.counter("attempts_total", "Attempts that were dispatched.", tasks.attempts);
    page.labelled("failures_total", "Failures by class.", "class", &tasks.failures);
    page.counter(
        "retries_total",
        "Attempts that another one followed.",
        tasks.retries,
    );
    page.counter(
        "refused_reports_total",
        "Reports of attempts that were not the live one.",
        tasks.refused_reports,
    );
    page.times(
        "queue_seconds",
        "From the dispatch of an attempt to the beginning of its agent's work.",
        &tasks.queue_seconds,
    );
    page.times(
        "task_seconds",
        "From the beginning of an agent's work to the end of the attempt.",
        &tasks.run_seconds,
    );
    let decisions = &counted.decisions;
    page.labelled(
        "decisions_total",
        "Decisions by outcome.",
        "outcome",
        &decisions.by_outcome,
    );
    page.labelled(
        "holds_total",
        "Holds by what is waited for.",
        "reason",
        &decisions.holds,
    );
    page.labelled(
        "rule_matches_total",
        "Decisions that a rule had a part in.",
        "rule",
        &decisions.by_rule,
    );
    page.counter("journal_appends_total", "Appends to journals.", journal.appends);
    page.counter("journal_events_total", "Events in journals.", journal.events);
    page.counter(
        "journal_conflicts_total",
        "Appends that lost a race.",
        journal.conflicts,
    );
    page.counter("failed_turns_total", "Turns that failed.", journal.failed_turns);
    page.counter(
        "commits_total",
        "Commits that made appends durable.",
        stats.commits,
    );
    page.gauge("runs_active", "Runs in memory.", stats.runs_active);
    if let Some(live) = stats.attempts_live {
        page.gauge("attempts_live", "Attempts at work.", live);
    }
    page.gauge("uptime_seconds", "Time since the start.", stats.uptime_seconds);
    if let Some(bytes) = stats.memory_peak_bytes {
        page.gauge("memory_peak_bytes", "Most memory used.", bytes);
    }
    page.pools(stats, "pool_capacity", "Slots of a pool.", |pool| pool.capacity);
    page.pools(stats, "pool_used", "Slots that are held.", |pool| pool.used);
    page.pools(stats, "pool_waiting", "Attempts that wait for a slot.", |pool| {
        pool.waiting
    });
    let telemetry = &stats.telemetry;
    page.counter(
        "spans_sent_total",
        "Spans that were delivered.",
        telemetry.spans_sent,
    );
    page.counter(
        "spans_dropped_total",
        "Spans that did not fit into the queue.",
        telemetry.spans_dropped,
    );
    page.counter(
        "spans_failed_total",
        "Spans that were not taken.",
        telemetry.spans_failed,
    );
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, what: &str, kind: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(
            self.0,
            "# HELP orchestrator_{name} {what}\n# TYPE orchestrator_{name} {kind}"
        );
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "orchestrator_{name}{labels} {value}");
    }

    fn counter(&mut self, name: &str, what: &str, value: u64) {
        self.head(name, what, "counter");
        self.line(name, &[], value);
    }

    fn gauge(&mut self, name: &str, what: &str, value: u64) {
        self.head(name, what, "gauge");
        self.line(name, &[], value);
    }

    fn labelled(&mut self, name: &str, what: &str, label: &str, values: &BTreeMap<String, u64>) {
        self.head(name, what, "counter");
        for (value, count) in values {
            self.line(name, &[(label, value)], count);
        }
    }

    fn pools(&mut self, stats: &Stats, name: &str, what: &str, value: impl Fn(&PoolStats) -> u32) {
        self.head(name, what, "gauge");
        for (pool, numbers) in &stats.pools {
            self.line(name, &[("pool", pool)], value(numbers));
        }
    }

    fn times(&mut self, name: &str, what: &str, times: &Durations) {
        self.head(name, what, "histogram");
        let bucket = format!("{name}_bucket");
        for (bound, count) in &times.buckets {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            self.line(&bucket, &[("le", &bound)], count);
        }
        self.line(&format!("{name}_sum"), &[], times.sum);
        self.line(&format!("{name}_count"), &[], times.count);
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
