//! What a document or a configuration says about deadlines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Part of a deadline after which a warning is due, percent, unless something else is said.
pub const WARN_PERCENT_DEFAULT: u8 = 80;

/// Deadlines, in seconds, and what happens when one is missed. Absent in a task: the workflow's; absent there: the
/// configuration's when the run was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlaSpec {
    /// Longest run time of one attempt of a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_max_seconds: Option<f64>,
    /// Longest time from submission to the end of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_max_seconds: Option<f64>,
    /// Longest time a task may wait until it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_max_seconds: Option<f64>,
    /// Longest silence of a running attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_seconds: Option<f64>,
    /// Part of a deadline after which there is a warning, 1 to 100; 100: no warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_percent: Option<u8>,
    /// What happens to a task that misses a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_breach: Option<OnBreach>,
    /// What happens to a run that misses `workflow_max_seconds`; `retry` has no meaning here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_workflow_breach: Option<OnBreach>,
}

/// What happens when a deadline is missed. There is an alert in any case.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnBreach {
    /// Nothing else.
    #[default]
    Alert,
    /// The attempt is stopped, has failed, and is retried under the task's retry rule.
    Retry,
    /// The task, or the run, is cancelled.
    Cancel,
    /// The task, or the run, has failed.
    Fail,
}

impl OnBreach {
    /// Every value, in the order in which they are stored.
    pub const ALL: [OnBreach; 4] = [OnBreach::Alert, OnBreach::Retry, OnBreach::Cancel, OnBreach::Fail];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            OnBreach::Alert => "alert",
            OnBreach::Retry => "retry",
            OnBreach::Cancel => "cancel",
            OnBreach::Fail => "fail",
        }
    }
}
