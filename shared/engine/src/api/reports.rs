//! `POST /runs/{run}/tasks/{task}/events`: what an agent says about its attempt.

use std::sync::Arc;

use http::StatusCode;
use orchestrator_core::ids::AttemptKey;
use orchestrator_core::run::{
    Failure, FailureClass, NewFiles, Progress, RejectedCheckpoint, Report, ReportKind, RunState, TaskStatus,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::bearer;
use super::backend::Backend;
use super::body;
use super::handle::Asked;
use super::problem::{Code, Problem};
use super::query::Query;
use super::response::{self, Answer};
use super::{runs, tasks};
use crate::token::TokenKey;
use crate::views::{At, FilesView};

/// Longest message that is kept.
const MESSAGE_LENGTH_MAX: usize = 8_000;

/// The body of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Report")]
pub struct ReportBody {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: ReportType,
    /// Epoch of the attempt, from the envelope.
    pub epoch: u32,
    /// The attempt, from the envelope.
    pub attempt: u32,
    /// The task token from the envelope; or send it as `Authorization: Bearer TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When it started, for `TASK_SUCCESS` without a `TASK_STARTED` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<At>,
    /// The output, for `TASK_SUCCESS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// 0 to 100, for `TASK_PROGRESS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// What the agent is doing, for `TASK_PROGRESS`; why, for `TASK_CHECKPOINT_REJECTED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The checkpoint, for `TASK_CHECKPOINT`: given back to the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Value>,
    /// Its files, for `TASK_CHECKPOINT`, if it has some; for `TASK_CHECKPOINT_REJECTED` those that are damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesView>,
    /// Why it failed, for `TASK_FAILURE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ReportedError>,
}

/// Kinds of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ReportType {
    TaskStarted,
    TaskProgress,
    TaskCheckpoint,
    TaskCheckpointRejected,
    TaskSuccess,
    TaskFailure,
}

/// Why an attempt failed, in its agent's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedError {
    /// `transient` and `error` may be retried, `permanent` and `validation` are not.
    #[serde(default)]
    pub class: ReportedClass,
    /// For people.
    pub message: String,
    /// Exit code of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

impl ReportedError {
    fn of(failure: &Failure) -> ReportedError {
        let class = match failure.class {
            FailureClass::Transient => ReportedClass::Transient,
            FailureClass::Permanent => ReportedClass::Permanent,
            FailureClass::Validation => ReportedClass::Validation,
            // What only the orchestrator can find out.
            _ => ReportedClass::Error,
        };
        ReportedError {
            class,
            message: failure.message.clone(),
            exit_code: failure.exit_code,
        }
    }
}

/// Kinds of failure an agent can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ReportedClass {
    Transient,
    #[default]
    Error,
    Permanent,
    Validation,
}

/// The answer to a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reported {
    /// `false` when the same was reported before.
    pub recorded: bool,
}

/// Where an attempt stands when a report of it comes in.
enum Standing {
    Live,
    Repeat,
    Stale(String),
}

/// Answers the report.
pub(super) async fn report<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    body::bounded(asked.body.len(), asked.backend.intake().body_bytes_max())?;
    let given: ReportBody = body::small(&asked.parts.headers, asked.body)?;
    let Some(tokens) = asked.backend.tokens() else {
        return Err(Problem::new(Code::Unsupported, "this host takes no reports"));
    };
    let run = runs::run_id(&asked)?;
    let (task, epoch, attempt, kind) = (
        asked.matched.task().to_owned(),
        given.epoch,
        given.attempt,
        given.kind,
    );
    let look = move |state: &RunState, _| {
        let node = tasks::find(state, &task)?;
        let key = AttemptKey {
            run,
            node,
            epoch,
            attempt,
        };
        Ok::<_, Problem>((key, standing(state, key, kind)))
    };
    let found = asked.backend.inspect(run, look).await;
    let (key, standing) = found
        .map_err(|_| bad_token())
        .and_then(|found| found.map_err(|_| bad_token()))?;
    let token = given.token.as_deref().or_else(|| bearer(&asked.parts.headers));
    if !token.is_some_and(|token| tokens.verify(key, token)) {
        return Err(bad_token());
    }
    let report = Report {
        node: key.node,
        epoch,
        attempt,
        kind: given.into_kind()?,
    };
    if !matches!(standing, Standing::Repeat) {
        asked.backend.report(run, report).await?;
    }
    match standing {
        Standing::Live => Ok(response::json(StatusCode::ACCEPTED, &Reported { recorded: true })),
        Standing::Repeat => Ok(response::json(StatusCode::OK, &Reported { recorded: false })),
        Standing::Stale(detail) => Err(Problem::new(Code::StaleAttempt, detail)),
    }
}

fn standing(state: &RunState, key: AttemptKey, kind: ReportType) -> Standing {
    if state.is_live_attempt(key) {
        return Standing::Live;
    }
    let node = state.node(key.node);
    let is_current = (node.epoch, node.attempt) == (key.epoch, key.attempt);
    let is_repeat = match kind {
        ReportType::TaskSuccess => node.status == TaskStatus::Success,
        ReportType::TaskFailure => matches!(node.status, TaskStatus::Failed | TaskStatus::RetryWait),
        _ => false,
    };
    if is_current && is_repeat {
        return Standing::Repeat;
    }
    Standing::Stale(format!(
        "attempt {} of epoch {} of '{}' is not the live one: the task is {} at attempt {} of epoch {} (stop working on it)",
        key.attempt,
        key.epoch,
        state.name_of(key.node),
        node.status,
        node.attempt,
        node.epoch
    ))
}

/// The same for an unknown run, an unknown task and a wrong token: nothing is told to those who have no token.
fn bad_token() -> Problem {
    Problem::new(
        Code::BadTaskToken,
        "the task token is not this attempt's (send the envelope's token, epoch and attempt)",
    )
}

impl ReportBody {
    /// The report, if its token is that of the attempt of `task` it speaks for.
    ///
    /// # Errors
    /// When it is not, or something is missing.
    pub(crate) fn check(&self, state: &RunState, task: &str, tokens: &TokenKey) -> Result<Report, Problem> {
        let key = AttemptKey {
            run: state.id(),
            node: state.find(task).ok_or_else(bad_token)?,
            epoch: self.epoch,
            attempt: self.attempt,
        };
        if !self.token.as_ref().is_some_and(|token| tokens.verify(key, token)) {
            return Err(bad_token());
        }
        Ok(Report {
            node: key.node,
            epoch: key.epoch,
            attempt: key.attempt,
            kind: self.clone().into_kind()?,
        })
    }

    /// What an agent sends to say `kind` about an attempt; the reverse of what is read from it.
    pub fn of(kind: &ReportKind, epoch: u32, attempt: u32, token: String) -> ReportBody {
        let mut body = ReportBody {
            kind: ReportType::TaskStarted,
            epoch,
            attempt,
            token: Some(token),
            started_at: None,
            output: None,
            percent: None,
            message: None,
            checkpoint: None,
            files: None,
            error: None,
        };
        match kind {
            ReportKind::Started => {}
            ReportKind::Progress(progress) => {
                body.kind = ReportType::TaskProgress;
                body.percent = progress.percent;
                body.message.clone_from(&progress.message);
            }
            ReportKind::Checkpoint(checkpoint) => {
                body.kind = ReportType::TaskCheckpoint;
                body.checkpoint = Some(checkpoint.as_ref().clone());
            }
            ReportKind::FilesSaved(saved) => {
                body.kind = ReportType::TaskCheckpoint;
                body.checkpoint = (!saved.value.is_null()).then(|| saved.value.clone());
                body.files = Some(FilesView::of(saved.files));
            }
            ReportKind::CheckpointRejected(rejected) => {
                body.kind = ReportType::TaskCheckpointRejected;
                body.files = rejected.files.map(FilesView::of);
                body.message = Some(rejected.reason.clone());
            }
            ReportKind::Success { started_at, output } => {
                body.kind = ReportType::TaskSuccess;
                body.started_at = started_at.map(At);
                body.output = output.as_deref().cloned();
            }
            ReportKind::Failure(failure) => {
                body.kind = ReportType::TaskFailure;
                body.error = Some(ReportedError::of(failure));
            }
        }
        body
    }

    fn into_kind(self) -> Result<ReportKind, Problem> {
        let ReportBody {
            kind,
            started_at,
            output,
            percent,
            message,
            checkpoint,
            files,
            error,
            ..
        } = self;
        Ok(match kind {
            ReportType::TaskStarted => ReportKind::Started,
            ReportType::TaskProgress => {
                let percent = percent.map(|percent| percent.clamp(0.0, 100.0));
                ReportKind::Progress(Arc::new(Progress {
                    percent,
                    message: message.map(bounded),
                }))
            }
            ReportType::TaskCheckpoint => {
                let value = checkpoint.unwrap_or(Value::Null);
                match files.map(FilesView::files) {
                    Some(files) => ReportKind::FilesSaved(Arc::new(NewFiles { files, value })),
                    None => ReportKind::Checkpoint(Arc::new(value)),
                }
            }
            ReportType::TaskCheckpointRejected => {
                let reason = message.map_or_else(|| "no reason was given".to_owned(), bounded);
                let files = files.map(FilesView::files);
                ReportKind::CheckpointRejected(Arc::new(RejectedCheckpoint { files, reason }))
            }
            ReportType::TaskSuccess => ReportKind::Success {
                started_at: started_at.map(|at| at.0),
                output: output.map(Arc::new),
            },
            ReportType::TaskFailure => {
                let Some(error) = error else {
                    let detail = "TASK_FAILURE has no 'error' (send {\"error\": {\"message\": ...}})";
                    return Err(Problem::new(Code::Malformed, detail));
                };
                let class = match error.class {
                    ReportedClass::Transient => FailureClass::Transient,
                    ReportedClass::Error => FailureClass::Error,
                    ReportedClass::Permanent => FailureClass::Permanent,
                    ReportedClass::Validation => FailureClass::Validation,
                };
                let message = bounded(error.message);
                ReportKind::Failure(Arc::new(Failure {
                    class,
                    message,
                    exit_code: error.exit_code,
                }))
            }
        })
    }
}

fn bounded(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MESSAGE_LENGTH_MAX) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}
