//! Bounds on documents. Every one can be configured; a document beyond any of them is refused with a problem.

/// The bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document. Below 4 GiB.
    pub document_bytes: usize,
    /// Levels of nesting.
    pub depth: usize,
    /// Values of all kinds, including those that aliases repeat.
    pub nodes: usize,
    /// Uses of YAML aliases.
    pub aliases: usize,
    /// Bytes of one text.
    pub text_bytes: usize,
    /// Tasks.
    pub task_count: usize,
    /// Problems reported; the rest is only counted.
    pub problems: usize,
}

const MIB: usize = 1024 * 1024;

impl Limits {
    /// For documents from strangers.
    pub fn api() -> Limits {
        Limits {
            document_bytes: MIB,
            depth: 64,
            nodes: 250_000,
            aliases: 1_000,
            text_bytes: 256 * 1024,
            task_count: 100,
            problems: 1_000,
        }
    }

    /// For files of the user who runs the program.
    pub fn local_file() -> Limits {
        Limits {
            document_bytes: 64 * MIB,
            nodes: 16_000_000,
            aliases: 100_000,
            text_bytes: 8 * MIB,
            ..Limits::api()
        }
    }

    /// For [canonical](super::Workflow::canonical) documents, which have passed other limits before.
    pub(super) fn canonical() -> Limits {
        Limits {
            document_bytes: u32::MAX as usize,
            depth: Limits::api().depth + 8,
            nodes: usize::MAX,
            aliases: 0,
            text_bytes: usize::MAX,
            task_count: usize::MAX,
            problems: 1,
        }
    }

    /// The same limits with another number of tasks: the policy's `max_task_count`.
    pub fn with_task_count(self, task_count: usize) -> Limits {
        Limits { task_count, ..self }
    }
}
