//! Metrics in CloudWatch's embedded metric format: a line of the log that CloudWatch takes numbers from,
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//!
//! A line costs its log bytes and no call. What did not happen is left out; an invocation in which nothing did prints none.

use orchestrator_core::time::Timestamp;
use orchestrator_engine::metrics::{Durations, Snapshot};
use serde_json::{Map, Value, json};

use crate::metrics::NAMESPACE;

/// What has been counted, as a line; `None` when nothing was.
pub fn line(stack: &str, function: &str, counted: &Snapshot, now: Timestamp) -> Option<Value> {
    let mut numbers: Vec<(String, &str, Value)> = Vec::new();
    let mut count = |name: String, count: u64| {
        if count > 0 {
            numbers.push((name, "Count", json!(count)));
        }
    };
    let of = |prefix: &str, name: &str| format!("{prefix}{}", camel(name));
    for (event, number) in &counted.runs.by_event {
        count(of("Runs", event), *number);
    }
    for (status, number) in &counted.tasks.by_status {
        count(of("Tasks", status), *number);
    }
    for (outcome, number) in &counted.decisions.by_outcome {
        count(of("Decisions", outcome), *number);
    }
    for (reason, number) in &counted.decisions.holds {
        count(of("Holds", reason), *number);
    }
    for (class, number) in &counted.tasks.failures {
        count(of("Failures", class), *number);
    }
    // Their names are camel case already.
    for (alert, number) in &counted.alerts.by_type {
        count(format!("Alerts{alert}"), *number);
    }
    for (deadline, number) in &counted.alerts.breaches {
        count(of("Breaches", deadline), *number);
    }
    for (outcome, number) in &counted.tasks.result_lookups {
        count(of("TaskCache", outcome), *number);
    }
    count("Attempts".to_owned(), counted.tasks.attempts);
    count("Retries".to_owned(), counted.tasks.retries);
    count("RefusedReports".to_owned(), counted.tasks.refused_reports);
    count("JournalAppends".to_owned(), counted.journal.appends);
    count("JournalConflicts".to_owned(), counted.journal.conflicts);
    count("FailedTurns".to_owned(), counted.journal.failed_turns);
    count("SweptRuns".to_owned(), counted.journal.swept_runs);
    for (name, times) in [
        ("QueueTime", &counted.tasks.queue_seconds),
        ("RunTime", &counted.tasks.run_seconds),
        ("WorkflowTime", &counted.runs.seconds),
    ] {
        numbers.extend(distribution(times).map(|value| (name.to_owned(), "Seconds", value)));
    }
    if numbers.is_empty() {
        return None;
    }
    let metrics: Vec<Value> = numbers
        .iter()
        .map(|(name, unit, _)| json!({"Name": name, "Unit": unit}))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.0,
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["Stack", "Function"]], "Metrics": metrics}],
        }),
    );
    line.insert("Stack".to_owned(), json!(stack));
    line.insert("Function".to_owned(), json!(function));
    // Rules are many: they are in the line for queries of the log, not metrics of their own.
    if !counted.decisions.by_rule.is_empty() {
        line.insert("rules".to_owned(), json!(counted.decisions.by_rule));
    }
    line.extend(numbers.into_iter().map(|(name, _, value)| (name, value)));
    Some(Value::Object(line))
}

/// Values with how often they came: the bound of each bucket stands for the times in it.
fn distribution(times: &Durations) -> Option<Value> {
    let mut before = 0;
    let mut longest = 0.0;
    let (mut values, mut counts) = (Vec::new(), Vec::new());
    for (bound, within) in &times.buckets {
        longest = bound.unwrap_or(longest);
        if *within > before {
            values.push(longest);
            counts.push(within - before);
        }
        before = *within;
    }
    (times.count > 0).then(|| json!({"Values": values, "Counts": counts}))
}

/// `RETRY_WAIT` and `allow` as `RetryWait` and `Allow`.
fn camel(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        let rest = letters.map(|letter| letter.to_ascii_lowercase());
        first.into_iter().chain(rest).collect::<String>()
    };
    name.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use orchestrator_engine::views::AlertType;

    use super::*;

    #[test]
    fn what_happened_is_a_metric_and_what_did_not_is_left_out() {
        let now = Timestamp(1_763_836_461_007);
        assert_eq!(line("dev", "decision", &Snapshot::default(), now), None);
        let mut counted = Snapshot::default();
        counted.tasks.by_status.insert("SUCCESS".to_owned(), 3);
        counted.decisions.by_outcome.insert("allow".to_owned(), 4);
        let breached = AlertType::SlaBreached.as_str().to_owned();
        counted.alerts.by_type.insert(breached, 1);
        counted.tasks.queue_seconds = Durations {
            count: 3,
            sum: 2.5,
            p50: None,
            p95: None,
            buckets: vec![(Some(0.5), 2), (Some(1.0), 2), (Some(5.0), 3), (None, 3)],
        };
        let line = line("dev", "task_events", &counted, now).unwrap();
        assert_eq!(
            (&line["TasksSuccess"], &line["DecisionsAllow"]),
            (&json!(3), &json!(4))
        );
        assert_eq!(line["QueueTime"], json!({"Values": [0.5, 5.0], "Counts": [2, 1]}));
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metrics["Namespace"], NAMESPACE);
        let named: Vec<&str> = metrics["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        assert_eq!(
            named,
            ["TasksSuccess", "DecisionsAllow", "AlertsSlaBreached", "QueueTime"]
        );
        // The format demands that every metric is a member of the line.
        assert!(named.iter().all(|name| line.get(*name).is_some()));
    }
}
