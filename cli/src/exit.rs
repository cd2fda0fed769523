//! How the program ends: documented exit codes, and failures that carry one.

use std::process::ExitCode;

use orchestrator_engine::api::problem::Problem;

/// Exit codes. Part of the interface: they do not change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `run`: the run succeeded.
    Success = 0,
    /// The run failed or was cancelled; for `policy test`: a case failed.
    Failed = 1,
    /// Invalid input or wrong usage.
    Usage = 2,
    /// There is no such run, task or file.
    NotFound = 3,
    /// Refused: not allowed, in conflict with the state of the run, or too much at a time.
    Refused = 4,
    /// A server, a disk or another part of the system could not do its work.
    Unavailable = 5,
    /// Interrupted with Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command could not be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What is wrong, with the remedy in parentheses.
    pub message: String,
    /// Every single fault, one a line.
    pub details: Vec<String>,
    /// The problem behind it, when the API reported one.
    pub problem: Option<Box<Problem>>,
}

impl Failure {
    /// A failure.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure {
            exit,
            message: message.into(),
            details: Vec::new(),
            problem: None,
        }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// Something outside the program did not work.
    pub fn unavailable(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Unavailable, message)
    }

    /// With one line for each fault.
    pub fn with_details(self, details: Vec<String>) -> Failure {
        Failure { details, ..self }
    }

    /// A file cannot be read.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Failure {
        let (exit, remedy) = match error.kind() {
            std::io::ErrorKind::NotFound => (Exit::NotFound, "check the path"),
            std::io::ErrorKind::IsADirectory => (Exit::Usage, "name a file in it"),
            std::io::ErrorKind::PermissionDenied => (Exit::Unavailable, "check its permissions"),
            _ => (Exit::Unavailable, "check that it is a readable file"),
        };
        Failure::new(
            exit,
            format!("cannot read '{}': {error} ({remedy})", path.display()),
        )
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        let exit = match problem.status {
            404 => Exit::NotFound,
            401 | 403 | 409 | 429 => Exit::Refused,
            status if status >= 500 => Exit::Unavailable,
            _ => Exit::Usage,
        };
        Failure {
            exit,
            message: problem.detail.clone(),
            details: problem.errors.iter().map(ToString::to_string).collect(),
            problem: Some(Box::new(problem)),
        }
    }
}
