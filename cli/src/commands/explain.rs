//! `explain`: why a task ran where it did, waits, was skipped or failed.

use orchestrator_engine::views::{ChoiceView, ExplainView};

use super::get::attempts_table;
use super::sla::deadline_table;
use crate::args::{Global, TaskArgs};
use crate::client::{Client, task_path};
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::{Output, Page, text};

/// Explains the task.
pub fn run(global: &Global, args: &TaskArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let explanation: ExplainView = client.get(&task_path(&run, &args.task, "/explain"))?;
    output.answer(&explanation, show);
    Ok(Exit::Success)
}

fn show(explanation: &ExplainView, page: &mut Page) {
    page.line(text::one_line(&explanation.answer));
    for sentence in &explanation.because {
        page.line(format!("  {}", text::one_line(sentence)));
    }
    if !explanation.waits_for.is_empty() {
        page.gap();
        let mut table = Table::new(&["WAITS FOR", "STATUS", "WHY"]);
        for wait in &explanation.waits_for {
            table.row(vec![wait.task.clone(), wait.status.to_string(), wait.why.clone()]);
        }
        page.table(&table);
    }
    if let Some(choice) = &explanation.choice {
        page.gap();
        show_choice(choice, page);
    }
    if !explanation.deadlines.is_empty() {
        page.gap();
        page.table(&deadline_table(&explanation.deadlines));
    }
    if !explanation.attempts.is_empty() {
        page.gap();
        page.table(&attempts_table(&explanation.attempts));
    }
    if !explanation.next_steps.is_empty() {
        page.gap();
        page.line("what you can do:");
        let width = explanation
            .next_steps
            .iter()
            .filter_map(|step| Some(text::width(step.split_once("  # ")?.0)))
            .max();
        for step in &explanation.next_steps {
            match step.split_once("  # ") {
                Some((command, why)) => {
                    page.line(format!("  {command:width$}  # {why}", width = width.unwrap_or(0)))
                }
                None => page.line(format!("  {step}")),
            }
        }
    }
}

/// What a choice says, name by name.
pub fn show_choice(choice: &ChoiceView, page: &mut Page) {
    let pools: Vec<String> = choice.pools.iter().map(|pool| pool.pool.clone()).collect();
    let extra: Vec<String> = choice
        .extra
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let retries = match choice.retries_by_itself {
        true => format!(
            "{}, delay up to {}, doubling up to {}",
            choice.max_retries,
            text::duration(choice.backoff_base_ms),
            text::duration(choice.backoff_max_ms)
        ),
        false => "never without a person".to_owned(),
    };
    page.pairs(&[
        ("decision", choice.decision.clone()),
        ("class", choice.resource_class.clone()),
        ("priority", choice.priority.to_string()),
        ("memory", format!("{} GB", choice.memory_gb)),
        ("model", choice.llm_model.clone().unwrap_or_default()),
        (
            "distributed",
            if choice.use_distributed {
                "yes".to_owned()
            } else {
                String::new()
            },
        ),
        ("set by rules", extra.join(" ")),
        ("pools", pools.join(", ")),
        ("retries", retries),
        ("timeout", text::maybe_duration(choice.timeout_ms)),
        ("matched", choice.matched.join(", ")),
        ("policy", choice.policy_version.clone()),
    ]);
}
