//! Alerts about deadlines.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Event, RunState};
use orchestrator_core::sla::{AlertKey, DeadlineKind, Lateness, OnBreach};
use orchestrator_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::at::At;

/// What kind of alert it is; the detail type of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AlertType {
    /// A deadline comes near.
    SlaWarning,
    /// A deadline was missed.
    SlaBreached,
    /// What missed it has come to an end.
    SlaResolved,
}

impl AlertType {
    /// The name used outside.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertType::SlaWarning => "SlaWarning",
            AlertType::SlaBreached => "SlaBreached",
            AlertType::SlaResolved => "SlaResolved",
        }
    }

    /// The kind of alert an event is, if it is one.
    pub fn of(event: &Event) -> Option<AlertType> {
        match event {
            Event::SlaWarned { .. } => Some(AlertType::SlaWarning),
            Event::SlaBreached { .. } => Some(AlertType::SlaBreached),
            Event::SlaResolved { .. } => Some(AlertType::SlaResolved),
            _ => None,
        }
    }
}

/// One alert about one deadline, by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Alert")]
pub struct AlertView {
    /// The same for every delivery of this alert.
    pub id: String,
    /// `SlaWarning`, `SlaBreached` or `SlaResolved`.
    #[serde(rename = "type")]
    pub kind: AlertType,
    /// When it was noticed.
    pub at: At,
    /// The run.
    #[schemars(with = "String")]
    pub run_id: RunId,
    /// Name of its workflow.
    pub workflow: String,
    /// Who submitted it.
    pub client_id: String,
    /// The task; absent when it is about the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Agent of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Action of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// `queue`, `task`, `heartbeat` or `workflow`.
    #[schemars(with = "String")]
    pub deadline_kind: DeadlineKind,
    /// Epoch of the task; for the run: how often it was opened.
    pub epoch: u32,
    /// The attempt; 0 for the run.
    pub attempt: u32,
    /// The limit; absent for `SlaResolved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_ms: Option<u64>,
    /// When the time is over; absent for `SlaResolved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<At>,
    /// How late it was by then; 0 for warnings.
    pub late_ms: u64,
    /// `low`, `medium`, `high` or `critical`, for `SlaBreached`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub severity: Option<Lateness>,
    /// What was done: `alert`, `retry`, `cancel` or `fail`, for `SlaBreached`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub done: Option<OnBreach>,
    /// In one sentence, for people.
    pub text: String,
}

impl AlertView {
    /// The alert an event is, if it is one.
    pub fn of(event: &Event, at: Timestamp, state: &RunState) -> Option<AlertView> {
        let (kind, key) = (AlertType::of(event)?, event.alert_key()?);
        let (limit_ms, deadline, late_ms, severity, done) = match event {
            Event::SlaWarned { max_ms, deadline, .. } => (Some(*max_ms), Some(*deadline), 0, None, None),
            Event::SlaBreached {
                max_ms,
                deadline,
                severity,
                action,
                ..
            } => {
                let late_ms = at - *deadline;
                (
                    Some(*max_ms),
                    Some(*deadline),
                    late_ms,
                    Some(*severity),
                    Some(*action),
                )
            }
            Event::SlaResolved { late_ms, .. } => (None, None, *late_ms, None, None),
            _ => return None,
        };
        let task = key.node.map(|node| state.task_of(node));
        Some(AlertView {
            id: format!("{}/{}", AlertView::key(state.id(), &key), kind.as_str()),
            kind,
            at: At(at),
            run_id: state.id(),
            workflow: state.workflow.name.clone(),
            client_id: state.submission.client_id.clone(),
            task: key.node.map(|node| state.name_of(node)),
            agent: task.map(|task| task.agent.clone()),
            action: task.map(|task| task.action.clone()),
            deadline_kind: key.kind,
            epoch: key.epoch,
            attempt: key.attempt,
            limit_ms,
            deadline: deadline.map(At),
            late_ms,
            severity,
            done,
            text: describe(event).0,
        })
    }

    /// Names what alerts are about, over all runs: the warning, the breach and the resolution have the same.
    pub fn key(run: RunId, key: &AlertKey) -> String {
        let subject = key
            .node
            .map_or_else(|| "run".to_owned(), |node| node.0.to_string());
        format!(
            "{run}/{subject}/{}/{}/{}",
            key.epoch,
            key.attempt,
            key.kind.as_str()
        )
    }

    /// What this alert is about, as [`AlertView::key`] gives it.
    pub fn about(&self) -> &str {
        self.id.rsplit_once('/').map_or(&self.id, |(about, _)| about)
    }
}

/// The schema of alerts as they are sent; published as `events/schemas/alert.schema.json`.
pub fn json_schema() -> Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<AlertView>().to_value()
}

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
