//! What can be wrong with a document, said so that its author can put it right.

use std::fmt;

use serde::{Serialize, Serializer};

/// One problem of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of problem it is.
    pub code: Code,
    /// Whether it keeps the workflow from running.
    pub severity: Severity,
    /// Where in the document's structure, as in `tasks[2].params.path`; empty for the document as a whole.
    pub path: String,
    /// Where in the text, when there is a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What is wrong.
    pub message: String,
    /// How to put it right; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The workflow cannot run.
    Error,
    /// The workflow can run, but hardly does what its author means.
    Warning,
}

/// Declares [`Code`] with the stable texts of its variants.
macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $text:literal,)+) => {
        /// The kinds of problems. Their texts are stable: programs may match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])+ $variant,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Code] = &[$(Code::$variant,)+];

            /// The stable text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$variant => $text,)+
                }
            }
        }
    };
}

codes! {
    /// The document has more bytes than allowed.
    TooLarge = "dsl.too-large",
    /// The document is not UTF-8 text.
    Encoding = "dsl.encoding",
    /// The document has no content.
    Empty = "dsl.empty",
    /// The document is neither YAML nor JSON.
    Syntax = "dsl.syntax",
    /// Valid YAML that the DSL does not use, such as tags.
    Unsupported = "dsl.unsupported",
    /// Depth, number of nodes, aliases or tasks, length of a text.
    Limit = "dsl.limit",
    /// A key is given twice in one object.
    DuplicateKey = "dsl.duplicate-key",
    /// A key that means nothing here.
    UnknownKey = "dsl.unknown-key",
    /// A required key is missing.
    MissingKey = "dsl.missing-key",
    /// A value of the wrong type.
    WrongType = "dsl.wrong-type",
    /// A value of the right type that is not allowed.
    BadValue = "dsl.bad-value",
    /// Two tasks have the same id.
    DuplicateId = "dsl.duplicate-id",
    /// `depends_on` names a task that does not exist.
    UnknownDependency = "dsl.unknown-dependency",
    /// A task depends on itself.
    SelfDependency = "dsl.self-dependency",
    /// Tasks wait for each other.
    Cycle = "dsl.cycle",
    /// A task that can never run.
    DeadTask = "dsl.dead-task",
    /// A `${...}` that is malformed or refers to nothing.
    BadReference = "dsl.bad-reference",
    /// A condition or list expression that does not compile or reads what it cannot.
    BadExpression = "dsl.bad-expression",
    /// An input was given that the workflow does not declare.
    UnknownInput = "dsl.unknown-input",
    /// An input without default was not given.
    MissingInput = "dsl.missing-input",
    /// An input was given with another type than its default.
    InputType = "dsl.input-type",
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `file:line:col: what`, or `file: what` for the file as a whole.
pub(super) fn at_place<'a>(
    file: &'a str,
    location: Option<Location>,
    what: &'a impl fmt::Display,
) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| match location {
        Some(Location { line, column }) => write!(f, "{file}:{line}:{column}: {what}"),
        None => write!(f, "{file}: {what}"),
    })
}

/// Writes `message (remedy)`, or the message alone if there is no remedy.
///
/// # Errors
/// When `f` cannot be written to.
pub fn write_with_remedy(f: &mut fmt::Formatter<'_>, message: &str, remedy: &str) -> fmt::Result {
    f.write_str(message)?;
    if remedy.is_empty() {
        Ok(())
    } else {
        write!(f, " ({remedy})")
    }
}

impl Problem {
    /// The problem as one line, `file:line:col: code: message (remedy)`; a warning says so.
    pub fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        at_place(file, self.location, self)
    }
}

impl fmt::Display for Problem {
    /// Without the file's name and the location.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        write!(f, "{}: ", self.code)?;
        write_with_remedy(f, &self.message, &self.remedy)
    }
}
