//! `logs`: what the agent of a task printed.

use orchestrator_engine::api::tasks::LogsView;

use crate::args::{Global, LogsArgs};
use crate::client::{Client, task_path};
use crate::exit::{Exit, Failure};
use crate::output::{Output, text};

/// Shows the logs: the text itself on standard output, anything about it on standard error.
pub fn run(global: &Global, args: &LogsArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let mut query = format!("?bytes={}", args.bytes);
    for (name, value) in [("attempt", args.attempt), ("epoch", args.epoch)] {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={value}"));
        }
    }
    let logs: LogsView = client.get(&task_path(&run, &args.task, &format!("/logs{query}")))?;
    if !output.is_table() {
        output.answer(&logs, |_, _| {});
        return Ok(Exit::Success);
    }
    let shown = logs.text.len() as u64;
    if logs.bytes == 0 {
        output.note(&format!(
            "attempt {} of '{}' printed nothing",
            logs.attempt, logs.task
        ));
    } else if shown < logs.bytes {
        output.note(&format!(
            "the last {} of {}:",
            text::bytes(shown),
            text::bytes(logs.bytes)
        ));
    }
    output.print(&text::printable(&logs.text));
    Ok(Exit::Success)
}
