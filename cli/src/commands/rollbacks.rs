//! `rollbacks`: how a run has been taken back.

use orchestrator_engine::views::{RollbackList, RollbackProgressView};

use crate::args::{Global, RunIdArgs};
use crate::client::{Client, run_path};
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::{Output, text};

/// Shows the rollbacks of a run.
pub fn run(global: &Global, args: &RunIdArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let list: RollbackList = client.get(&run_path(&run, "/rollbacks"))?;
    output.answer(&list, |list, page| {
        if list.rollbacks.is_empty() {
            page.line(format!("run {run} has not been taken back"));
            return;
        }
        let mut table = Table::new(&["NUMBER", "AT", "BY", "ASKED", "TASKS", "STATE", "REASON"]);
        for rollback in &list.rollbacks {
            let plan = rollback.plan.as_ref();
            let tasks = plan.map(|plan| {
                plan.tasks
                    .iter()
                    .map(|task| task.task.as_str())
                    .collect::<Vec<_>>()
            });
            table.row(vec![
                rollback.number.to_string(),
                text::time(rollback.at),
                rollback.by.clone(),
                plan.map(|plan| plan.asked.clone()).unwrap_or_default(),
                tasks.map(|tasks| tasks.join(", ")).unwrap_or_default(),
                progress(&rollback.progress),
                rollback.reason.clone(),
            ]);
        }
        page.table(&table);
    });
    Ok(Exit::Success)
}

/// How far a rollback has got, in a few words.
pub fn progress(progress: &RollbackProgressView) -> String {
    let RollbackProgressView {
        state,
        action,
        error,
        undone,
        compensations,
    } = progress;
    let mut words = state.clone();
    if let Some(action) = action {
        words.push_str(&format!(" at '{action}' ({undone} of {compensations} undone)"));
    }
    if let Some(error) = error {
        words.push_str(&format!(": {error}"));
    }
    words
}
