//! Errors as `application/problem+json` (RFC 9457), with codes that never change their meaning.

use std::fmt;

use http::StatusCode;
use orchestrator_core::run::Rejection;
use orchestrator_core::workflow::problem::{Problem as DslProblem, write_with_remedy};
use orchestrator_core::workflow::typed;
use orchestrator_translate::Suggestion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, HostError};
use crate::ports::journal;

/// Declares [`Code`] with text, status and title of each, so that code and documents have one table.
macro_rules! codes {
    ($($variant:ident = $text:literal, $status:ident, $title:literal;)+) => {
        /// What went wrong, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the titles say it")]
        pub enum Code {
            $($variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant,)+];

            /// The stable text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$variant => $text,)+
                }
            }

            /// The HTTP status it comes with.
            pub fn status(self) -> StatusCode {
                match self {
                    $(Code::$variant => StatusCode::$status,)+
                }
            }

            /// In a few words.
            pub fn title(self) -> &'static str {
                match self {
                    $(Code::$variant => $title,)+
                }
            }
        }
    };
}

codes! {
    Malformed = "request.malformed", BAD_REQUEST, "the body or a header cannot be read";
    BadParameter = "request.bad-parameter", BAD_REQUEST, "a query parameter is unknown or has a bad value";
    NoRoute = "request.no-route", NOT_FOUND, "there is nothing under this path";
    Method = "request.method", METHOD_NOT_ALLOWED, "this path has other methods";
    TooLarge = "request.too-large", PAYLOAD_TOO_LARGE, "the body is larger than allowed";
    ContentType = "request.content-type", UNSUPPORTED_MEDIA_TYPE, "the body has a type this path does not take";
    MissingToken = "auth.missing-token", UNAUTHORIZED, "this server wants a bearer token";
    BadToken = "auth.bad-token", UNAUTHORIZED, "the bearer token is not known here";
    Forbidden = "auth.forbidden", FORBIDDEN, "this client may not do this";
    ForeignOrigin = "auth.foreign-origin", FORBIDDEN, "the request comes from another web site";
    BadDsl = "dsl.invalid", UNPROCESSABLE_ENTITY, "the workflow or its inputs have problems";
    BadPolicy = "policy.invalid", UNPROCESSABLE_ENTITY, "the policy has problems";
    BadKey = "idempotency.bad-key", BAD_REQUEST, "the Idempotency-Key cannot be used";
    KeyReused = "idempotency.key-reused", UNPROCESSABLE_ENTITY, "the Idempotency-Key came before with another body";
    RateLimited = "limit.rate", TOO_MANY_REQUESTS, "the client asks too often";
    RunsLimited = "limit.concurrent-runs", TOO_MANY_REQUESTS, "the client has as many runs as it may have at a time";
    UnknownRun = "run.unknown", NOT_FOUND, "there is no such run";
    RunEnded = "run.ended", CONFLICT, "the run has ended";
    NotRetryable = "run.not-retryable", CONFLICT, "only a failed or cancelled run can be retried";
    WrongRunStatus = "run.wrong-status", CONFLICT, "the run is in another state than this needs";
    BadPriority = "run.priority-out-of-range", BAD_REQUEST, "a priority is 1 to 10";
    UnknownTask = "task.unknown", NOT_FOUND, "the run has no such task";
    WrongTaskStatus = "task.wrong-status", CONFLICT, "the task is in another state than this needs";
    NoTask = "task.no-task", CONFLICT, "this needs a task of the workflow";
    NoReason = "rollback.no-reason", BAD_REQUEST, "a rollback needs a reason";
    NoSteps = "rollback.no-steps", BAD_REQUEST, "nothing is to be taken back";
    TooManySteps = "rollback.too-many-steps", CONFLICT, "fewer tasks have succeeded";
    CannotUndo = "rollback.cannot-undo", CONFLICT, "the parameters of an action that is to undo a task have no value";
    PlanChanged = "rollback.plan-changed", CONFLICT, "the run has moved on since the preview";
    RollbackUnfinished = "rollback.unfinished", CONFLICT, "a rollback has not undone everything yet";
    NeedsHuman = "translation.needs-human", UNPROCESSABLE_ENTITY, "the text comes to no workflow that is certain enough";
    UnknownTranslation = "translation.unknown", NOT_FOUND, "there is no such translation";
    TranslatorDown = "translation.unavailable", SERVICE_UNAVAILABLE, "the translator does not answer";
    OverBudget = "limit.translation-budget", TOO_MANY_REQUESTS, "the client has used up what it may spend on translations";
    UnknownPlan = "plan.unknown", NOT_FOUND, "there is no such plan";
    PlanOutdated = "plan.outdated", CONFLICT, "the policy has changed since the plan";
    StaleAttempt = "attempt.stale", CONFLICT, "the report comes from an attempt that is not the live one";
    BadTaskToken = "attempt.bad-token", UNAUTHORIZED, "the task token is not this attempt's";
    Unsupported = "host.unsupported", NOT_IMPLEMENTED, "this host cannot do this";
    Unavailable = "host.unavailable", SERVICE_UNAVAILABLE, "a part of the host cannot do its work now";
    Corrupt = "host.corrupt", INTERNAL_SERVER_ERROR, "what is stored about the run cannot be read";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A URI for the code.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// The code in a few words.
    pub title: Box<str>,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, with the remedy in parentheses.
    pub detail: String,
    /// Stable code for programs.
    pub code: String,
    /// Every single fault, when there can be several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// Try again after so many seconds; also the header `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    /// What could be asked for instead of a text that comes to nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
    /// The translation behind it, for `GET /translation/{token}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub translation: Option<String>,
}

/// One fault of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Stable code, as in `dsl.cycle`.
    pub code: String,
    /// `error`, or `warning` for what is allowed but hardly meant.
    pub severity: String,
    /// Where in the structure, as in `tasks[2].params`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// How to put it right.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Problem {
    /// A problem with this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("urn:master-orchestrator:problem:{code}").into(),
            title: code.title().into(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code: code.as_str().to_owned(),
            errors: Vec::new(),
            retry_after_seconds: None,
            suggestions: Vec::new(),
            translation: None,
        }
    }

    /// The problems of a document.
    pub fn dsl(faults: Vec<Fault>) -> Problem {
        let errors = faults.iter().filter(|fault| fault.severity == "error").count();
        let detail = match errors {
            1 => "the workflow has 1 problem (put it right and submit it again)".to_owned(),
            count => format!("the workflow has {count} problems (put them right and submit it again)"),
        };
        Problem {
            errors: faults,
            ..Problem::new(Code::BadDsl, detail)
        }
    }

    /// With the time after which to try again.
    pub fn retry_after(self, seconds: u64) -> Problem {
        Problem {
            retry_after_seconds: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
            ..self
        }
    }
}

impl Fault {
    /// The fault behind a problem of the DSL.
    pub fn of(problem: &DslProblem) -> Fault {
        let is_error = problem.severity == orchestrator_core::workflow::problem::Severity::Error;
        Fault {
            code: problem.code.as_str().to_owned(),
            severity: if is_error { "error" } else { "warning" }.to_owned(),
            path: problem.path.clone(),
            line: problem.location.map(|location| location.line),
            column: problem.location.map(|location| location.column),
            message: problem.message.clone(),
            remedy: problem.remedy.clone(),
        }
    }

    /// The fault behind a problem of another document.
    pub fn of_typed(problem: &typed::Problem) -> Fault {
        Fault {
            code: problem.code.clone(),
            severity: "error".to_owned(),
            path: problem.path.clone(),
            line: problem.location.map(|location| location.line),
            column: problem.location.map(|location| location.column),
            message: problem.message.clone(),
            remedy: problem.remedy.clone(),
        }
    }
}

impl fmt::Display for Fault {
    /// `line:column: code: message (remedy)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{line}:{column}: ")?;
        }
        if self.severity == "warning" {
            f.write_str("warning: ")?;
        }
        write!(f, "{}: ", self.code)?;
        write_with_remedy(f, &self.message, &self.remedy)
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Problem {
        let code = match &rejection {
            Rejection::RunEnded(_) => Code::RunEnded,
            Rejection::NotRetryable(_) => Code::NotRetryable,
            Rejection::WrongRunStatus { .. } => Code::WrongRunStatus,
            Rejection::UnknownTask(_) => Code::UnknownTask,
            Rejection::WrongTaskStatus { .. } => Code::WrongTaskStatus,
            Rejection::NotATask { .. } => Code::NoTask,
            Rejection::NoReason => Code::NoReason,
            Rejection::NoSteps => Code::NoSteps,
            Rejection::TooManySteps { .. } => Code::TooManySteps,
            Rejection::CannotUndo { .. } => Code::CannotUndo,
            Rejection::PlanChanged { .. } => Code::PlanChanged,
            Rejection::RollbackUnfinished(_) => Code::RollbackUnfinished,
            Rejection::PriorityOutOfRange(_) => Code::BadPriority,
        };
        Problem::new(code, rejection.to_string())
    }
}

impl From<HostError> for Problem {
    fn from(error: HostError) -> Problem {
        Problem::new(Code::Unavailable, error.to_string()).retry_after(1)
    }
}

impl From<journal::Error> for Problem {
    fn from(error: journal::Error) -> Problem {
        match error {
            journal::Error::Corrupt { .. } => Problem::new(Code::Corrupt, error.to_string()),
            other => Problem::new(Code::Unavailable, other.to_string()).retry_after(1),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        match error {
            Error::UnknownRun(_) => Problem::new(Code::UnknownRun, error.to_string()),
            Error::Rejected(rejection) => rejection.into(),
            Error::Journal(error) => error.into(),
            Error::Host(error) => error.into(),
            Error::TooManyConflicts { .. } => {
                Problem::new(Code::Unavailable, error.to_string()).retry_after(1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_every_rejection_keeps_its_own() {
        let mut texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
        let rejection = Rejection::PriorityOutOfRange(11);
        assert_eq!(Problem::from(rejection.clone()).code, rejection.code());
    }
}
