//! `get`: a run, or one of its tasks.

use orchestrator_engine::views::{AttemptView, CheckpointView, RunView, TaskDetail, TaskView, ViolationView};

use super::rollbacks::progress;
use super::sla::deadline_table;
use crate::args::{GetArgs, Global};
use crate::client::{Client, run_path, task_path};
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::{Output, Page, text};

/// Shows the run or the task.
pub fn run(global: &Global, args: &GetArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    match &args.task {
        Some(task) => {
            let detail: TaskDetail = client.get(&task_path(&run, task, ""))?;
            output.answer(&detail, show_task);
        }
        None => {
            let items = if args.items { "?items=true" } else { "" };
            let view: RunView = client.get(&run_path(&run, items))?;
            output.answer(&view, show_run);
        }
    }
    Ok(Exit::Success)
}

/// The run with the table of its tasks.
pub fn show_run(run: &RunView, page: &mut Page) {
    let counts: Vec<String> = run
        .counts
        .iter()
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    let cancelled = run
        .cancelled
        .as_ref()
        .map(|cancelled| format!("by '{}': {}", cancelled.by, cancelled.reason));
    page.pairs(&[
        ("run", run.id.to_string()),
        ("workflow", run.workflow.clone()),
        ("status", run.status.to_string()),
        ("cancelled", cancelled.unwrap_or_default()),
        (
            "rollback",
            run.rollback.as_ref().map(progress).unwrap_or_default(),
        ),
        ("client", run.client_id.clone()),
        (
            "priority",
            run.priority
                .map(|priority| priority.to_string())
                .unwrap_or_default(),
        ),
        ("inputs", object(&run.inputs)),
        ("metadata", object(&run.metadata)),
        ("submitted", text::time(run.submitted_at)),
        ("finished", text::maybe_time(run.finished_at)),
        ("time", text::duration(run.duration_ms)),
        (
            "deadline",
            run.deadline
                .as_ref()
                .map(|deadline| text::time(deadline.deadline))
                .unwrap_or_default(),
        ),
        ("late", late(run)),
        ("tasks", format!("{}: {}", run.tasks_total, counts.join(", "))),
    ]);
    page.gap();
    page.table(&tasks_table(&run.tasks));
    if let Some(next) = run.tasks_next {
        page.line(format!("more: GET /runs/{}?tasks_after={next}", run.id));
    }
}

/// One line for each task.
pub fn tasks_table(tasks: &[TaskView]) -> Table {
    let mut table = Table::new(&[
        "TASK", "STATUS", "AGENT", "ACTION", "CLASS", "ATTEMPT", "TIME", "NOTE",
    ]);
    for task in tasks {
        table.row(vec![
            task.id.clone(),
            task.status.to_string(),
            task.agent.clone(),
            task.action.clone(),
            task.resource_class.clone().unwrap_or_default(),
            if task.attempt > 0 {
                task.attempt.to_string()
            } else {
                String::new()
            },
            text::maybe_duration(task.duration_ms),
            note(task),
        ]);
    }
    table
}

/// What is worth knowing about a task beside its state.
pub fn note(task: &TaskView) -> String {
    if let Some(children) = &task.children {
        let counts: Vec<String> = children
            .counts
            .iter()
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        return match children.total {
            0 => "no items".to_owned(),
            _ => format!("items: {}", counts.join(", ")),
        };
    }
    if let Some(held) = &task.held {
        return held.explanation.clone();
    }
    if let Some(skipped) = &task.skipped {
        return skipped.clone();
    }
    if let Some(from) = task.cache.as_ref().and_then(|cache| cache.from.as_ref()) {
        return format!("cached: the result of '{}' in run {}", from.task, from.run_id);
    }
    match (&task.error, &task.progress, task.finished_at) {
        (Some(error), _, _) if task.output.is_none() && task.output_bytes.is_none() => {
            format!("{}: {}", error.class, error.message)
        }
        (_, Some(progress), None) => {
            let percent = progress.percent.map(|percent| format!("{percent:.0} %"));
            let words: Vec<String> = percent.into_iter().chain(progress.message.clone()).collect();
            words.join(" ")
        }
        _ => String::new(),
    }
}

fn show_task(detail: &TaskDetail, page: &mut Page) {
    let task = &detail.task;
    page.pairs(&[
        ("run", detail.run_id.to_string()),
        ("task", task.id.clone()),
        ("status", task.status.to_string()),
        ("agent", task.agent.clone()),
        ("action", task.action.clone()),
        ("depends on", task.depends_on.join(", ")),
        ("class", task.resource_class.clone().unwrap_or_default()),
        (
            "priority",
            task.priority
                .map(|priority| priority.to_string())
                .unwrap_or_default(),
        ),
        ("note", note(task)),
        ("params", pretty(&detail.params)),
        ("item", detail.item.as_ref().map(pretty).unwrap_or_default()),
        (
            "checkpoint",
            detail.checkpoint.as_ref().map(pretty).unwrap_or_default(),
        ),
        (
            "saved",
            detail
                .checkpoints
                .iter()
                .map(saved)
                .collect::<Vec<_>>()
                .join("; "),
        ),
        ("output", task.output.as_ref().map(pretty).unwrap_or_default()),
    ]);
    if !detail.deadlines.is_empty() {
        page.gap();
        page.table(&deadline_table(&detail.deadlines));
    }
    if !detail.attempts.is_empty() {
        page.gap();
        page.table(&attempts_table(&detail.attempts));
    }
}

/// One line for each attempt.
pub fn attempts_table(attempts: &[AttemptView]) -> Table {
    let mut table = Table::new(&[
        "EPOCH", "ATTEMPT", "STATUS", "QUEUED", "STARTED", "FINISHED", "ERROR",
    ]);
    for attempt in attempts {
        let error = attempt
            .error
            .as_ref()
            .map(|error| format!("{}: {}", error.class, error.message));
        table.row(vec![
            attempt.epoch.to_string(),
            attempt.attempt.to_string(),
            attempt.status.clone(),
            text::time(attempt.queued_at),
            text::maybe_time(attempt.started_at),
            text::maybe_time(attempt.finished_at),
            error.unwrap_or_default(),
        ]);
    }
    table
}

/// What has missed its deadline and goes on.
fn late(run: &RunView) -> String {
    const SHOWN: usize = 5;
    let one = |late: &ViolationView| {
        let subject = late.task.as_deref().unwrap_or("the run");
        format!("{subject} ({}, {})", late.kind.as_str(), late.severity.as_str())
    };
    let mut shown: Vec<String> = run.violations.iter().take(SHOWN).map(one).collect();
    if run.violations.len() > SHOWN {
        shown.push(format!("{} more", run.violations.len() - SHOWN));
    }
    shown.join(", ")
}

fn object(value: &serde_json::Value) -> String {
    let pairs = value.as_object().into_iter().flatten();
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

fn pretty(value: &serde_json::Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("values are plain data");
    text::printable(&text)
}

/// A checkpoint, in words.
fn saved(checkpoint: &CheckpointView) -> String {
    let CheckpointView { epoch, attempt, .. } = checkpoint;
    let size = match checkpoint.files {
        Some(files) => format!("{} files, {} bytes", files.count, files.bytes),
        None => "a value".to_owned(),
    };
    format!("{size}, by epoch {epoch}, attempt {attempt}")
}
