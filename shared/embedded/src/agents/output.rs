//! What a finished attempt amounts to: its exit, and what it wrote to its output file.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;

use orchestrator_core::run::{Failure, FailureClass, ReportKind};
use orchestrator_core::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The exit code that says "try again".
const EXIT_TRANSIENT: i32 = 75;
/// Longest message of a failure, characters.
const MESSAGE_MAX: usize = 2_000;

/// What the output file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Nothing.
    Missing,
    /// A result.
    Value(Value),
    /// `{"error": {"class": ..., "message": ...}}`.
    Error(Failure),
    /// Not usable, and why.
    Bad(Failure),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    error: AgentError,
}

#[derive(Deserialize)]
struct AgentError {
    #[serde(default)]
    class: Option<AgentErrorClass>,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum AgentErrorClass {
    Validation,
    Transient,
    Permanent,
    Error,
}

/// A failure with a bounded message.
pub fn failure(class: FailureClass, message: impl AsRef<str>, exit_code: Option<i32>) -> Failure {
    let message = message.as_ref();
    let mut bounded: String = message.chars().take(MESSAGE_MAX).collect();
    if bounded.len() < message.len() {
        bounded.push('…');
    }
    Failure {
        class,
        message: bounded,
        exit_code,
    }
}

/// Reads the output file, at most `limit` bytes of it.
pub fn read(path: &Path, limit: u64) -> Output {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Output::Missing,
        Err(error) => return bad(FailureClass::Error, format!("the output cannot be read: {error}")),
    };
    let mut bytes = Vec::new();
    if let Err(error) = file.take(limit + 1).read_to_end(&mut bytes) {
        return bad(FailureClass::Error, format!("the output cannot be read: {error}"));
    }
    parse(&bytes, limit)
}

/// Reads an output of at most `limit` bytes.
pub fn parse(bytes: &[u8], limit: u64) -> Output {
    if bytes.len() as u64 > limit {
        let message = format!(
            "the output is larger than {limit} bytes (write large results to files in $ORCHESTRATOR_RUN_DIR and \
             output their names)"
        );
        return bad(FailureClass::Permanent, message);
    }
    if bytes.trim_ascii().is_empty() {
        return Output::Missing;
    }
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => {
            return bad(
                FailureClass::Error,
                format!("the output is not JSON: {error} (write one JSON value)"),
            );
        }
    };
    match Document::deserialize(&value) {
        Ok(Document { error }) => {
            let class = match error.class {
                Some(AgentErrorClass::Validation) => FailureClass::Validation,
                Some(AgentErrorClass::Transient) => FailureClass::Transient,
                Some(AgentErrorClass::Permanent) => FailureClass::Permanent,
                Some(AgentErrorClass::Error) | None => FailureClass::Error,
            };
            Output::Error(failure(class, error.message, None))
        }
        Err(_) => Output::Value(value),
    }
}

/// The report about a command that has ended; `last` is the end of what it printed, if that is known.
pub fn judge(status: ExitStatus, output: Output, last: &str, started_at: Option<Timestamp>) -> ReportKind {
    let exit_code = status.code();
    let failed = match (status.success(), output) {
        (true, Output::Missing) => {
            return ReportKind::Success {
                started_at,
                output: None,
            };
        }
        (true, Output::Value(value)) => {
            return ReportKind::Success {
                started_at,
                output: Some(Arc::new(value)),
            };
        }
        (_, Output::Error(failure)) => Failure { exit_code, ..failure },
        (true, Output::Bad(failure)) => Failure { exit_code, ..failure },
        (false, _) => {
            let class = match exit_code {
                Some(EXIT_TRANSIENT) => FailureClass::Transient,
                _ => FailureClass::Error,
            };
            failure(class, describe(status, last), exit_code)
        }
    };
    ReportKind::Failure(Arc::new(failed))
}

fn describe(status: ExitStatus, last: &str) -> String {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(9)) => "was killed by signal 9 (often the system ran out of memory)".to_owned(),
        (None, signal) => format!("was killed by signal {}", signal.unwrap_or(0)),
    };
    match last.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{how}: {}", line.trim()),
        None => how,
    }
}

fn bad(class: FailureClass, message: String) -> Output {
    Output::Bad(failure(class, message, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(raw_status: i32, output: &[u8], last: &str) -> ReportKind {
        judge(ExitStatus::from_raw(raw_status), parse(output, 64), last, None)
    }

    fn failed(class: FailureClass, message: &str, exit_code: Option<i32>) -> ReportKind {
        ReportKind::Failure(Arc::new(failure(class, message, exit_code)))
    }

    fn succeeded(output: Option<Value>) -> ReportKind {
        ReportKind::Success {
            started_at: None,
            output: output.map(Arc::new),
        }
    }

    #[test]
    fn exits_and_outputs_map_to_reports() {
        use FailureClass as Class;
        let exit = |code: i32| code << 8;
        let permanent = br#"{"error": {"class": "permanent", "message": "no"}}"#;
        for (status, output, last, expected) in [
            (exit(0), &b""[..], "", succeeded(None)),
            (exit(0), b" \n", "", succeeded(None)),
            (exit(0), b"null", "", succeeded(Some(Value::Null))),
            (
                exit(0),
                br#"{"error": 1}"#,
                "",
                succeeded(Some(serde_json::json!({"error": 1}))),
            ),
            (exit(0), permanent, "", failed(Class::Permanent, "no", Some(0))),
            (exit(3), permanent, "x", failed(Class::Permanent, "no", Some(3))),
            (
                exit(3),
                b"{}",
                "Traceback\nValueError: bad\n\n",
                failed(Class::Error, "exited with code 3: ValueError: bad", Some(3)),
            ),
            (
                exit(75),
                b"",
                "",
                failed(Class::Transient, "exited with code 75", Some(75)),
            ),
            (15, b"", "", failed(Class::Error, "was killed by signal 15", None)),
        ] {
            assert_eq!(kind(status, output, last), expected);
        }
    }

    #[test]
    fn an_unusable_output_fails_the_attempt() {
        for (output, class, words) in [
            (&b"{oops"[..], FailureClass::Error, "the output is not JSON"),
            (&[b'1'; 65], FailureClass::Permanent, "larger than 64 bytes"),
        ] {
            let ReportKind::Failure(failure) = kind(0, output, "") else {
                panic!("it succeeded")
            };
            assert_eq!(failure.class, class);
            assert!(failure.message.contains(words), "{}", failure.message);
        }
    }
}
