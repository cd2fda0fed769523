//! Alerts about deadlines in words.

use orchestrator_core::run::Event;
use orchestrator_core::sla::{AlertKey, DeadlineKind, OnBreach};
use serde_json::{Value, json};

use super::at::At;

/// What an alert says, and what it carries besides.
pub(super) fn describe(event: &Event) -> (String, Value) {
    match event {
        Event::SlaWarned {
            key,
            max_ms,
            deadline,
        } => {
            let text = format!("{} at {deadline}", near(key.kind));
            let mut data = about(key, *max_ms);
            data["deadline"] = json!(At(*deadline));
            (format!("{text} (limit {})", seconds(*max_ms)), data)
        }
        Event::SlaBreached {
            key,
            max_ms,
            deadline,
            severity,
            action,
        } => {
            let done = match action {
                OnBreach::Alert => "",
                OnBreach::Retry => "; the attempt is stopped and counts as failed",
                OnBreach::Cancel => "; it is cancelled",
                OnBreach::Fail => "; it has failed",
            };
            let mut data = about(key, *max_ms);
            data["deadline"] = json!(At(*deadline));
            data["severity"] = json!(severity);
            data["action"] = json!(action);
            (format!("{} of {}{done}", over(key.kind), seconds(*max_ms)), data)
        }
        Event::SlaResolved { key, late_ms } => {
            let mut data = about(key, 0);
            if let Some(data) = data.as_object_mut() {
                data.remove("limit_ms");
            }
            data["late_ms"] = json!(late_ms);
            let ends = match key.kind {
                DeadlineKind::Queue => "the wait is over",
                DeadlineKind::Task => "the attempt has ended",
                DeadlineKind::Heartbeat => "it was heard of again, or has ended",
                DeadlineKind::Workflow => "the run has ended",
            };
            (format!("{ends}, {} late", seconds(*late_ms)), data)
        }
        _ => (String::new(), Value::Null),
    }
}

fn about(key: &AlertKey, max_ms: u64) -> Value {
    json!({
        "deadline_kind": key.kind,
        "epoch": key.epoch,
        "attempt": key.attempt,
        "limit_ms": max_ms,
    })
}

fn near(kind: DeadlineKind) -> &'static str {
    match kind {
        DeadlineKind::Queue => "still not started; its time to start is over",
        DeadlineKind::Task => "still running; its run time is over",
        DeadlineKind::Heartbeat => "silent; it is believed lost",
        DeadlineKind::Workflow => "the run still goes on; its time is over",
    }
}

fn over(kind: DeadlineKind) -> &'static str {
    match kind {
        DeadlineKind::Queue => "waited longer than the limit",
        DeadlineKind::Task => "ran longer than the limit",
        DeadlineKind::Heartbeat => "was silent for longer than the limit",
        DeadlineKind::Workflow => "the run took longer than the limit",
    }
}

/// As in `600 s`.
fn seconds(millis: u64) -> String {
    format!("{} s", millis as f64 / 1_000.0)
}
