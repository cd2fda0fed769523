//! Every number there is, with its name and meaning, in the order in which they are shown.
//!
//! Names are those of OpenTelemetry; [`super::prometheus`] adds the unit and `_total`, as its specification of
//! compatibility says, so that a number has one name in Prometheus whichever way it comes.

use std::collections::BTreeMap;

use super::Durations;
use crate::api::backend::{PoolStats, Stats};

/// A number, or several that differ in a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Series<'a> {
    /// Its name, without the namespace.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub what: &'static str,
    /// Unit by UCUM; empty for plain counts.
    pub unit: &'static str,
    /// The numbers.
    pub data: Data<'a>,
}

/// The numbers of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Data<'a> {
    /// They only grow.
    Counter(Vec<Point<'a>>),
    /// They go up and down.
    Gauge(Vec<Point<'a>>),
    /// Times in buckets.
    Times(&'a Durations),
}

/// One number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point<'a> {
    /// Name and value of its label, if it has one.
    pub label: Option<(&'static str, &'a str)>,
    /// The number.
    pub value: u64,
}

/// All series of a host.
pub fn all(stats: &Stats) -> Vec<Series<'_>> {
    let Stats {
        counted, telemetry, ..
    } = stats;
    let (tasks, journal, alerts) = (&counted.tasks, &counted.journal, &counted.alerts);
    let decisions = &counted.decisions;
    let mut series = vec![
        named("runs", "Runs by what happened.", "event", &counted.runs.by_event),
        times(
            "run",
            "From submission to the end of a run.",
            &counted.runs.seconds,
        ),
        named("tasks", "Tasks that ended, by state.", "status", &tasks.by_status),
        counter("attempts", "Attempts that were dispatched.", tasks.attempts),
        named("failures", "Failures by class.", "class", &tasks.failures),
        counter("retries", "Attempts that another one followed.", tasks.retries),
        counter(
            "refused_reports",
            "Reports of attempts that were not the live one.",
            tasks.refused_reports,
        ),
        named(
            "task_cache_lookups",
            "Tasks that may be reused, by what became of looking for their results.",
            "outcome",
            &tasks.result_lookups,
        ),
        times(
            "queue",
            "From the dispatch of an attempt to the beginning of its agent's work.",
            &tasks.queue_seconds,
        ),
        times(
            "task",
            "From the beginning of an agent's work to the end of the attempt.",
            &tasks.run_seconds,
        ),
        named(
            "decisions",
            "Decisions by outcome.",
            "outcome",
            &decisions.by_outcome,
        ),
        named(
            "holds",
            "Holds by what is waited for.",
            "reason",
            &decisions.holds,
        ),
        named(
            "rule_matches",
            "Decisions that a rule had a part in.",
            "rule",
            &decisions.by_rule,
        ),
        named(
            "sla_alerts",
            "Alerts about deadlines, by type.",
            "type",
            &alerts.by_type,
        ),
        named(
            "sla_breaches",
            "Missed deadlines by what took too long.",
            "deadline",
            &alerts.breaches,
        ),
        gauge(
            "sla_active",
            "Missed deadlines of what goes on.",
            stats.sla.active,
        ),
        counter("journal_appends", "Appends to journals.", journal.appends),
        counter("journal_events", "Events in journals.", journal.events),
        counter(
            "journal_conflicts",
            "Appends that lost a race.",
            journal.conflicts,
        ),
        counter("failed_turns", "Turns that failed.", journal.failed_turns),
        counter("sweeps", "Sweeps for runs that are due.", journal.sweeps),
        counter(
            "swept_runs",
            "Runs that sweeps had recovered.",
            journal.swept_runs,
        ),
        counter("commits", "Commits that made appends durable.", stats.commits),
        gauge("runs_active", "Runs that have not ended.", stats.runs_active),
    ];
    if let Some(live) = stats.attempts_live {
        series.push(gauge("attempts_live", "Attempts at work.", live));
    }
    series.push(Series {
        unit: "s",
        ..gauge("uptime", "Time since the start.", stats.uptime_seconds)
    });
    if let Some(bytes) = stats.memory_peak_bytes {
        series.push(Series {
            unit: "By",
            ..gauge("memory_peak", "Most memory used.", bytes)
        });
    }
    series.extend([
        pools(stats, "pool_capacity", "Slots of a pool.", |pool| pool.capacity),
        pools(stats, "pool_used", "Slots that are held.", |pool| pool.used),
        pools(stats, "pool_waiting", "Attempts that wait for a slot.", |pool| {
            pool.waiting
        }),
        named(
            "cache_lookups",
            "Lookups of remembered translations, by outcome.",
            "outcome",
            &stats.cache,
        ),
        counter("spans_sent", "Spans that were delivered.", telemetry.spans_sent),
        counter(
            "spans_dropped",
            "Spans that did not fit into the queue.",
            telemetry.spans_dropped,
        ),
        counter(
            "spans_failed",
            "Spans that were not taken.",
            telemetry.spans_failed,
        ),
    ]);
    series
}

fn series<'a>(name: &'static str, what: &'static str, data: Data<'a>) -> Series<'a> {
    Series {
        name,
        what,
        unit: "",
        data,
    }
}

fn counter(name: &'static str, what: &'static str, value: u64) -> Series<'static> {
    series(name, what, Data::Counter(vec![Point { label: None, value }]))
}

fn gauge(name: &'static str, what: &'static str, value: u64) -> Series<'static> {
    series(name, what, Data::Gauge(vec![Point { label: None, value }]))
}

fn named<'a>(
    name: &'static str,
    what: &'static str,
    label: &'static str,
    values: &'a BTreeMap<String, u64>,
) -> Series<'a> {
    let point = |(value, count): (&'a String, &u64)| Point {
        label: Some((label, value.as_str())),
        value: *count,
    };
    series(name, what, Data::Counter(values.iter().map(point).collect()))
}

fn pools<'a>(
    stats: &'a Stats,
    name: &'static str,
    what: &'static str,
    value: impl Fn(&PoolStats) -> u32,
) -> Series<'a> {
    let point = |(pool, numbers): (&'a String, &PoolStats)| Point {
        label: Some(("pool", pool.as_str())),
        value: u64::from(value(numbers)),
    };
    series(name, what, Data::Gauge(stats.pools.iter().map(point).collect()))
}

fn times<'a>(name: &'static str, what: &'static str, times: &'a Durations) -> Series<'a> {
    Series {
        unit: "s",
        ..series(name, what, Data::Times(times))
    }
}
