//! States: an icon, a word and a colour, so that no reader depends on one of them.

use maud::{Markup, html};
use orchestrator_core::run::{RunStatus, TaskStatus};

use super::icon;

/// Icon and class of a state of a task.
pub fn look(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Pending => "pending",
        TaskStatus::Ready => "ready",
        TaskStatus::Held => "held",
        TaskStatus::Queued => "queued",
        TaskStatus::Running => "running",
        TaskStatus::RetryWait => "retry",
        TaskStatus::Success => "success",
        TaskStatus::Failed => "failed",
        TaskStatus::Skipped => "skipped",
        TaskStatus::Cancelled => "cancelled",
    }
}

/// The state of a task.
pub fn task(status: TaskStatus) -> Markup {
    badge(look(status), status.as_str())
}

/// The state of a run.
pub fn run(status: RunStatus) -> Markup {
    let look = match status {
        RunStatus::Pending => "queued",
        RunStatus::Translating => "ready",
        RunStatus::NeedsReview | RunStatus::Paused => "held",
        RunStatus::Running => "running",
        RunStatus::Success => "success",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    };
    badge(look, status.as_str())
}

/// The state with this name, of an attempt or an event.
pub fn named(name: &str) -> Markup {
    let of_task = TaskStatus::ALL.into_iter().find(|status| status.as_str() == name);
    match of_task {
        Some(status) => task(status),
        None => match RunStatus::from_name(name) {
            Some(status) => run(status),
            None => badge("pending", name),
        },
    }
}

/// A word with an icon and a colour.
pub fn badge(look: &str, word: &str) -> Markup {
    html! { span class=(format!("badge s-{look}")) { (icon::use_(look)) (word.replace('_', " ")) } }
}
