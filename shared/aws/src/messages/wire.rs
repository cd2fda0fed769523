//! Messages as JSON. The form is public: `events/` has its schema and samples.
//!
//! Messages of the orchestrator itself say in `kind` what may be due:
//!
//! ```json
//! {"run_id": "01J…", "kind": "decide", "candidates": "ready"}
//! {"run_id": "01J…", "kind": "decide", "granted": [{"node": 3, "epoch": 1, "attempt": 1}]}
//! {"run_id": "01J…", "kind": "reports", "reports": [{"node": 3, "epoch": 1, "attempt": 1, "type": "TASK_STARTED"}]}
//! {"run_id": "01J…", "kind": "recover", "since": 1774000006000}
//! {"run_id": "01J…", "kind": "admit"}
//! ```
//!
//! Reports of agents name their task and prove who they are; they are the body of the HTTP API with two fields more:
//!
//! ```json
//! {"run_id": "01J…", "task_id": "train", "type": "TASK_SUCCESS", "epoch": 1, "attempt": 1, "token": "…", "output": {}}
//! ```

use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, NodeIx, RunId};
use orchestrator_core::run::{
    Failure, NewFiles, Progress, RejectedCheckpoint, Report, ReportKind, SavedFiles,
};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::api::reports::ReportBody;
use orchestrator_engine::ports::messages::{Body, Candidates, Message, Recovery, Said};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is not a message.
#[derive(Debug, thiserror::Error)]
#[error("not a message of the orchestrator: {0} (see events/ for samples)")]
pub struct WireError(String);

impl WireError {
    pub(super) fn new(detail: &str) -> WireError {
        WireError(detail.to_owned())
    }
}

/// The text of a message.
pub fn encode(message: &Message) -> String {
    let body = match &message.body {
        Body::Admit => WireBody::Admit,
        Body::Tick => WireBody::Tick,
        Body::Recover(Recovery { since, .. }) => WireBody::Recover {
            since: (since.0 > 0).then_some(since.0),
        },
        Body::Decide(Candidates::Ready) => WireBody::decide(WireCandidates::Ready),
        Body::Decide(Candidates::Waiting) => WireBody::decide(WireCandidates::Waiting),
        Body::Decide(Candidates::Granted(keys)) => WireBody::Decide {
            candidates: None,
            granted: keys.iter().map(WireAttempt::of).collect(),
        },
        Body::Reports(reports) => WireBody::Reports {
            reports: reports.iter().map(WireReport::of).collect(),
        },
        Body::Said(said) => WireBody::Said {
            said: said
                .iter()
                .map(|said| WireSaid {
                    task_id: said.task.clone(),
                    report: said.report.clone(),
                })
                .collect(),
        },
    };
    let wire = Wire {
        run_id: message.run,
        body,
    };
    serde_json::to_string(&wire).expect("a message is plain data")
}

/// The message of a text.
///
/// # Errors
/// When it is not a message, or not one this program knows.
pub fn decode(text: &str) -> Result<Message, WireError> {
    let wrong = |error: serde_json::Error| WireError(error.to_string());
    let value: Value = serde_json::from_str(text).map_err(wrong)?;
    if value.get("kind").is_none() && value.get("type").is_some() {
        return agent_report(value);
    }
    let wire: Wire = serde_json::from_value(value).map_err(wrong)?;
    let run = wire.run_id;
    let body = match wire.body {
        WireBody::Admit => Body::Admit,
        WireBody::Tick => Body::Tick,
        WireBody::Recover { since } => Body::Recover(match since {
            Some(since) => Recovery::look(Timestamp(since)),
            None => Recovery::EVERYTHING,
        }),
        WireBody::Decide { candidates, granted } => Body::Decide(match candidates {
            None => Candidates::Granted(granted.iter().map(|attempt| attempt.key(run)).collect()),
            Some(WireCandidates::Ready) => Candidates::Ready,
            Some(WireCandidates::Waiting) => Candidates::Waiting,
        }),
        WireBody::Reports { reports } => {
            Body::Reports(reports.into_iter().map(WireReport::into_report).collect())
        }
        WireBody::Said { said } => Body::Said(
            said.into_iter()
                .map(|said| Said {
                    task: said.task_id,
                    report: said.report,
                })
                .collect(),
        ),
    };
    Ok(Message { run, body })
}

/// What an agent sent: a report with `run_id` and `task_id`.
fn agent_report(mut value: Value) -> Result<Message, WireError> {
    let mut take = |name: &str| {
        let field = value.as_object_mut().and_then(|object| object.remove(name));
        match field {
            Some(Value::String(text)) => Ok(text),
            _ => Err(WireError(format!("a report needs '{name}', a text"))),
        }
    };
    let run = take("run_id")?;
    let run: RunId = run.parse().map_err(|error| WireError(format!("{error}")))?;
    let task = take("task_id")?;
    let report: ReportBody = serde_json::from_value(value).map_err(|error| WireError(error.to_string()))?;
    Ok(Message {
        run,
        body: Body::Said(vec![Said { task, report }]),
    })
}

#[derive(Serialize, Deserialize)]
struct Wire {
    run_id: RunId,
    #[serde(flatten)]
    body: WireBody,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum WireBody {
    Admit,
    Tick,
    Recover {
        /// Of a look: attempts queued before this, milliseconds since 1970, were handed over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<i64>,
    },
    Decide {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidates: Option<WireCandidates>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        granted: Vec<WireAttempt>,
    },
    Reports {
        reports: Vec<WireReport>,
    },
    Said {
        said: Vec<WireSaid>,
    },
}

impl WireBody {
    fn decide(candidates: WireCandidates) -> WireBody {
        WireBody::Decide {
            candidates: Some(candidates),
            granted: Vec::new(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireCandidates {
    Ready,
    Waiting,
}

#[derive(Serialize, Deserialize)]
struct WireAttempt {
    node: u32,
    epoch: u32,
    attempt: u32,
}

impl WireAttempt {
    fn of(key: &AttemptKey) -> WireAttempt {
        WireAttempt {
            node: key.node.0,
            epoch: key.epoch,
            attempt: key.attempt,
        }
    }

    fn key(&self, run: RunId) -> AttemptKey {
        AttemptKey {
            run,
            node: NodeIx(self.node),
            epoch: self.epoch,
            attempt: self.attempt,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct WireSaid {
    task_id: String,
    report: ReportBody,
}

#[derive(Serialize, Deserialize)]
struct WireReport {
    node: u32,
    epoch: u32,
    attempt: u32,
    #[serde(flatten)]
    kind: WireKind,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type")]
enum WireKind {
    #[serde(rename = "TASK_STARTED")]
    Started,
    #[serde(rename = "TASK_PROGRESS")]
    Progress { progress: Arc<Progress> },
    #[serde(rename = "TASK_CHECKPOINT")]
    Checkpoint {
        checkpoint: Arc<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<SavedFiles>,
    },
    #[serde(rename = "TASK_CHECKPOINT_REJECTED")]
    CheckpointRejected {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<SavedFiles>,
        reason: String,
    },
    #[serde(rename = "TASK_SUCCESS")]
    Success {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started_at_ms: Option<Timestamp>,
        /// Absent and `null` differ: no output, and the output `null`.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "present"
        )]
        output: Option<Arc<Value>>,
    },
    #[serde(rename = "TASK_FAILURE")]
    Failure { failure: Arc<Failure> },
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<Value>>, D::Error> {
    Value::deserialize(deserializer).map(|value| Some(Arc::new(value)))
}

impl WireReport {
    fn of(report: &Report) -> WireReport {
        let kind = match &report.kind {
            ReportKind::Started => WireKind::Started,
            ReportKind::Progress(progress) => WireKind::Progress {
                progress: Arc::clone(progress),
            },
            ReportKind::Checkpoint(checkpoint) => WireKind::Checkpoint {
                checkpoint: Arc::clone(checkpoint),
                files: None,
            },
            ReportKind::FilesSaved(saved) => WireKind::Checkpoint {
                checkpoint: Arc::new(saved.value.clone()),
                files: Some(saved.files),
            },
            ReportKind::CheckpointRejected(rejected) => WireKind::CheckpointRejected {
                files: rejected.files,
                reason: rejected.reason.clone(),
            },
            ReportKind::Success { started_at, output } => WireKind::Success {
                started_at_ms: *started_at,
                output: output.clone(),
            },
            ReportKind::Failure(failure) => WireKind::Failure {
                failure: Arc::clone(failure),
            },
        };
        WireReport {
            node: report.node.0,
            epoch: report.epoch,
            attempt: report.attempt,
            kind,
        }
    }

    fn into_report(self) -> Report {
        let kind = match self.kind {
            WireKind::Started => ReportKind::Started,
            WireKind::Progress { progress } => ReportKind::Progress(progress),
            WireKind::Checkpoint {
                checkpoint,
                files: None,
            } => ReportKind::Checkpoint(checkpoint),
            WireKind::Checkpoint {
                checkpoint,
                files: Some(files),
            } => {
                let value = Arc::unwrap_or_clone(checkpoint);
                ReportKind::FilesSaved(Arc::new(NewFiles { files, value }))
            }
            WireKind::CheckpointRejected { files, reason } => {
                ReportKind::CheckpointRejected(Arc::new(RejectedCheckpoint { files, reason }))
            }
            WireKind::Success {
                started_at_ms,
                output,
            } => ReportKind::Success {
                started_at: started_at_ms,
                output,
            },
            WireKind::Failure { failure } => ReportKind::Failure(failure),
        };
        Report {
            node: NodeIx(self.node),
            epoch: self.epoch,
            attempt: self.attempt,
            kind,
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
