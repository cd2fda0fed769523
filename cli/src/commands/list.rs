//! `list`: runs, newest first.

use orchestrator_engine::api::route::encode;
use orchestrator_engine::views::RunList;

use crate::args::{Global, ListArgs};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::{Output, text};

/// Lists runs.
pub fn run(global: &Global, args: &ListArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let mut path = format!("/runs?limit={}", args.limit);
    for status in &args.status {
        path.push_str(&format!("&status={}", encode(status)));
    }
    let filters = [
        ("client", &args.client),
        ("workflow", &args.workflow),
        ("cursor", &args.cursor),
    ];
    for (name, value) in filters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
    {
        path.push_str(&format!("&{name}={}", encode(value)));
    }
    let list: RunList = client.get(&path)?;
    output.answer(&list, |list, page| {
        if list.runs.is_empty() {
            page.line("no runs (start one with 'orchestrator run FILE')");
            return;
        }
        let mut table = Table::new(&[
            "RUN",
            "WORKFLOW",
            "STATUS",
            "TASKS",
            "CLIENT",
            "SUBMITTED",
            "TIME",
        ]);
        for run in &list.runs {
            table.row(vec![
                run.id.to_string(),
                run.workflow.clone(),
                run.status.to_string(),
                run.tasks.to_string(),
                run.client_id.clone(),
                text::time(run.submitted_at),
                text::duration(run.duration_ms),
            ]);
        }
        page.table(&table);
        if let Some(cursor) = &list.next_cursor {
            page.line(format!("more: orchestrator list --cursor {cursor}"));
        }
    });
    Ok(Exit::Success)
}
