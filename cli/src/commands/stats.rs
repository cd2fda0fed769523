//! `stats`: what the server has done so far.

use std::collections::BTreeMap;

use orchestrator_engine::api::backend::{Stats, TelemetryStats};
use orchestrator_engine::metrics::Durations;

use crate::args::Global;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::{Output, text};

/// Shows the numbers.
pub fn run(global: &Global, output: &Output) -> Result<Exit, Failure> {
    let stats: Stats = Client::connect(global)?.get("/stats")?;
    output.answer(&stats, |stats, page| {
        page.pairs(&[
            ("version", stats.version.clone()),
            ("policy", stats.policy_version.clone()),
            ("up for", text::duration(stats.uptime_seconds * 1_000)),
            ("active runs", stats.runs_active.to_string()),
            (
                "live attempts",
                stats
                    .attempts_live
                    .map_or_else(|| "-".to_owned(), |live| live.to_string()),
            ),
            ("appends", stats.appends.to_string()),
            ("events", stats.events.to_string()),
            ("commits", stats.commits.to_string()),
            ("conflicts", stats.counted.journal.conflicts.to_string()),
            ("runs", listed(&stats.counted.runs.by_event)),
            ("tasks", listed(&stats.counted.tasks.by_status)),
            ("retries", stats.counted.tasks.retries.to_string()),
            ("decisions", listed(&stats.counted.decisions.by_outcome)),
            ("time in queue", times(&stats.counted.tasks.queue_seconds)),
            ("time at work", times(&stats.counted.tasks.run_seconds)),
            ("traces", traces(&stats.telemetry)),
            ("late now", stats.sla.active.to_string()),
            (
                "attempts in time",
                format!("{} of {}", stats.sla.within, stats.sla.attempts),
            ),
            (
                "peak memory",
                stats.memory_peak_bytes.map(text::bytes).unwrap_or_default(),
            ),
        ]);
    });
    Ok(Exit::Success)
}

/// `12 SUCCESS, 1 FAILED`.
fn listed(counts: &BTreeMap<String, u64>) -> String {
    let counts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    counts.join(", ")
}

/// Mean and percentiles; the latter are as coarse as their buckets.
fn times(times: &Durations) -> String {
    let duration = |seconds: f64| text::duration((seconds * 1_000.0).round() as u64);
    if times.count == 0 {
        return String::new();
    }
    let mean = duration(times.sum / times.count as f64);
    let within =
        |name: &str, bound: Option<f64>| bound.map(|bound| format!(", {name} within {}", duration(bound)));
    format!(
        "mean {mean}{}{}",
        within("half", times.p50).unwrap_or_default(),
        within("95 %", times.p95).unwrap_or_default()
    )
}

fn traces(telemetry: &TelemetryStats) -> String {
    match &telemetry.service_name {
        None => "not exported".to_owned(),
        Some(service) => format!(
            "exported as {service}: {} spans sent, {} dropped, {} not taken",
            telemetry.spans_sent, telemetry.spans_dropped, telemetry.spans_failed
        ),
    }
}
