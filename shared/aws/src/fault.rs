//! What AWS answers when it does not do what it was asked, told apart by what the caller does next. The only place that
//! looks at codes.

use std::fmt;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use orchestrator_engine::error::HostError;

/// A call that did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What to do about it.
    pub kind: Kind,
    /// What the service said, for people.
    pub detail: String,
}

/// Kinds of [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The condition of a write did not hold, or another write was under way: read again, decide again.
    Conflict,
    /// Too much at a time: later. Nothing was done.
    Throttled,
    /// The service failed or gave no answer: later. It may have been done.
    Transient,
    /// Asking again is of no use: permissions, names, sizes.
    Fatal,
}

impl Kind {
    /// Whether the call may have been carried out all the same.
    pub fn may_have_worked(self) -> bool {
        self == Kind::Transient
    }

    /// The kind of an error code of any of the services.
    pub fn of_code(code: &str) -> Kind {
        match code {
            "ConditionalCheckFailedException"
            | "TransactionConflictException"
            | "TransactionCanceledException"
            | "TransactionInProgressException" => Kind::Conflict,
            "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "LimitExceededException"
            | "TooManyRequestsException"
            | "SlowDown"
            | "OverLimit"
            | "KmsThrottled" => Kind::Throttled,
            "InternalServerError"
            | "InternalFailure"
            | "InternalError"
            | "InternalException"
            | "ServerException"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "RequestTimeout"
            | "RequestTimeoutException"
            | "ExpiredToken"
            | "ExpiredTokenException" => Kind::Transient,
            _ => Kind::Fatal,
        }
    }
}

impl Fault {
    /// Tells an SDK error apart.
    pub fn of<E, R>(error: &SdkError<E, R>) -> Fault
    where
        E: ProvideErrorMetadata,
        R: fmt::Debug,
    {
        let transient = |what: &str| Fault {
            kind: Kind::Transient,
            detail: what.to_owned(),
        };
        match error {
            SdkError::TimeoutError(_) => transient("no answer in time"),
            SdkError::ResponseError(_) => transient("the answer could not be read"),
            SdkError::DispatchFailure(failure) => {
                let cause = failure.as_connector_error().map(|error| chain(error));
                transient(&cause.unwrap_or_else(|| "the connection failed".to_owned()))
            }
            SdkError::ServiceError(service) => {
                let code = service.err().code().unwrap_or("unknown error");
                let message = service.err().message().unwrap_or_default();
                Fault {
                    kind: Kind::of_code(code),
                    detail: format!("{code}: {message}"),
                }
            }
            _ => Fault {
                kind: Kind::Fatal,
                detail: "the request could not be built".to_owned(),
            },
        }
    }

    /// The error of a port.
    pub fn in_part(self, what: &'static str) -> HostError {
        HostError {
            what,
            detail: self.detail,
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_by_what_to_do_next() {
        let table = [
            ("ConditionalCheckFailedException", Kind::Conflict),
            ("TransactionCanceledException", Kind::Conflict),
            ("ProvisionedThroughputExceededException", Kind::Throttled),
            ("ThrottlingException", Kind::Throttled),
            ("InternalServerError", Kind::Transient),
            ("AccessDeniedException", Kind::Fatal),
            ("ResourceNotFoundException", Kind::Fatal),
            ("ValidationException", Kind::Fatal),
            ("something new", Kind::Fatal),
        ];
        for (code, kind) in table {
            assert_eq!(Kind::of_code(code), kind, "{code}");
        }
        assert!(Kind::Transient.may_have_worked() && !Kind::Throttled.may_have_worked());
    }
}
