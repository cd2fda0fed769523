//! `rollback`: shows what taking a run back does, asks, and does exactly that.

use std::io::{BufRead, IsTerminal, Write};

use orchestrator_core::run::RunStatus;
use orchestrator_engine::api::rollbacks::RollbackBody;
use orchestrator_engine::views::rollback::PlannedTaskView;
use orchestrator_engine::views::{CheckpointView, RollbackAnswer, RollbackPlanView, RunView};

use super::{operate, run as runs};
use crate::args::{Global, RollbackArgs};
use crate::client::{Client, run_path};
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::tree::tree;
use crate::output::{Output, Page, text};

/// Previews, asks, applies.
pub fn run(global: &Global, args: &RollbackArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let send = |dry_run, plan_token| {
        let body = RollbackBody {
            steps: args.steps,
            to_task: args.to_task.clone(),
            tasks: (!args.tasks.is_empty()).then(|| args.tasks.clone()),
            reason: args.reason.clone(),
            dry_run,
            plan_token,
            fresh: args.fresh,
        };
        client.post::<RollbackAnswer>(&run_path(&run, "/rollback"), &body)
    };
    if args.dry_run {
        output.answer(&send(true, None)?, |answer, page| {
            show(&answer.plan, page);
            page.gap();
            page.line(format!(
                "to do this: {}",
                again(args, &run, &answer.plan.plan_token)
            ));
        });
        return Ok(Exit::Success);
    }
    if args.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Failure::usage(
            "a rollback needs a reason (say why with --reason)",
        ));
    }
    let (token, is_shown) = match &args.plan_token {
        Some(token) => (token.clone(), false),
        None => {
            let preview = send(true, None)?;
            let is_shown = output.is_table();
            if is_shown {
                output.answer(&preview, |preview, page| show(&preview.plan, page));
            }
            if !args.yes {
                agree(&preview.plan)?;
            }
            (preview.plan.plan_token, is_shown)
        }
    };
    // Where following goes on: at the events of the rollback itself.
    let before: Option<RunView> = match args.follow {
        true => Some(client.get(&run_path(&run, "?tasks_limit=0"))?),
        false => None,
    };
    let answer = send(false, Some(token))?;
    if let Some(before) = before.filter(|_| answer.run.status != RunStatus::Paused) {
        return runs::go_on(global, &client, before.id, before.seq, output);
    }
    output.answer(&answer, |answer, page| {
        if !is_shown {
            show(&answer.plan, page);
        }
        let number = answer.rollback.unwrap_or_default();
        page.line(format!(
            "run {} is {}: rollback {number}",
            answer.run.id, answer.run.status
        ));
    });
    operate::remind(&client, answer.run.status.is_terminal(), output);
    Ok(Exit::Success)
}

/// Asks a person, who must be there.
fn agree(plan: &RollbackPlanView) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "nobody is there to be asked (give --yes, or --plan-token {} for exactly this plan)",
            plan.plan_token
        )));
    }
    let unread = |error: std::io::Error| Failure::unavailable(format!("the answer cannot be read: {error}"));
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "take the run back like this? [y/N] ")
        .and_then(|()| stderr.flush())
        .map_err(unread)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(unread)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::new(
            Exit::Refused,
            "nothing was changed (you did not say yes)",
        )),
    }
}

/// The plan: a tree of tasks, what is undone first, and what it costs.
fn show(plan: &RollbackPlanView, page: &mut Page) {
    page.line(format!(
        "taking back run {} ({}): {}{}",
        plan.run_id,
        plan.status,
        plan.asked,
        if plan.fresh { ", without checkpoints" } else { "" }
    ));
    page.gap();
    let mut table = Table::new(&["TASK", "STATUS", "EPOCH", "WHY", "WHAT HAPPENS"]);
    let nodes: Vec<(&str, &[String])> = plan
        .tasks
        .iter()
        .map(|task| (task.task.as_str(), task.depends_on.as_slice()))
        .collect();
    for (line, at) in tree(&nodes) {
        let task = &plan.tasks[at];
        table.row(vec![
            format!("{line}{}", task.task),
            task.status.to_string(),
            format!("{} -> {}", task.epoch, task.new_epoch),
            task.why.clone(),
            consequences(task).join("; "),
        ]);
    }
    page.table(&table);
    if !plan.compensations.is_empty() {
        page.gap();
        page.line("undone before anything is done again, one after the other:");
        let mut table = Table::new(&["ORDER", "TASK", "AGENT", "ACTION", "PARAMETERS"]);
        for (index, undo) in plan.compensations.iter().enumerate() {
            table.row(vec![
                (index + 1).to_string(),
                undo.task.clone(),
                undo.agent.clone(),
                undo.action.clone(),
                undo.params.to_string(),
            ]);
        }
        page.table(&table);
    }
    page.gap();
    for task in &plan.resumed {
        let kept = if task.keeps_items {
            ", keeping the items that succeeded"
        } else {
            ""
        };
        page.line(format!("'{}' ({}) goes on, too{kept}", task.task, task.status));
    }
    if plan.reopens {
        page.line(format!(
            "the run is {} and goes on; its deadlines start over",
            plan.status
        ));
    }
    page.line(format!("work to be done again: {}", text::duration(plan.redo_ms)));
    page.line(format!("plan token: {}", plan.plan_token));
}

/// What happens to a task, in a few words each.
fn consequences(task: &PlannedTaskView) -> Vec<String> {
    let mut words = Vec::new();
    for stop in &task.stops {
        words.push(match stop.task == task.task {
            true => format!("attempt {} is stopped", stop.attempt),
            false => format!("attempt {} of '{}' is stopped", stop.attempt, stop.task),
        });
    }
    match task.leaves_line.len() {
        0 => {}
        1 => words.push("leaves the line for a slot".to_owned()),
        count => words.push(format!("{count} items leave the line for a slot")),
    }
    if task.drops_items > 0 {
        words.push(format!(
            "{} given up",
            text::count(task.drops_items as usize, "item")
        ));
    }
    if let Some(checkpoint) = &task.checkpoint {
        words.push(goes_on_from(checkpoint));
    }
    if task.drops_checkpoint {
        words.push("its checkpoint is dropped".to_owned());
    }
    if let Some(bytes) = task.drops_output_bytes {
        words.push(format!("its output ({}) is dropped", text::bytes(bytes)));
    }
    if task.drops_cached {
        words.push("its memoised result is dropped".to_owned());
    }
    if task.redo_ms > 0 {
        words.push(format!("{} of work", text::duration(task.redo_ms)));
    }
    words
}

/// Which checkpoint the next attempt starts from.
fn goes_on_from(checkpoint: &CheckpointView) -> String {
    const SHOWN_MAX: usize = 60;
    let CheckpointView { epoch, attempt, .. } = checkpoint;
    let content = match (&checkpoint.files, &checkpoint.value) {
        (Some(files), _) => format!(
            "{}, {}",
            text::count(files.count as usize, "file"),
            text::bytes(files.bytes)
        ),
        (None, Some(value)) => value.to_string().chars().take(SHOWN_MAX).collect(),
        (None, None) => String::new(),
    };
    format!("goes on from the checkpoint of epoch {epoch}, attempt {attempt}: {content}")
}

/// The command line that does what a preview showed.
fn again(args: &RollbackArgs, run: &str, token: &str) -> String {
    let mut words = vec!["orchestrator rollback".to_owned(), run.to_owned()];
    words.extend(args.steps.map(|steps| format!("--steps {steps}")));
    words.extend(args.to_task.as_ref().map(|task| format!("--to-task {task}")));
    words.extend(args.tasks.iter().map(|task| format!("--task {task}")));
    words.extend(args.fresh.then(|| "--fresh".to_owned()));
    words.push(format!(
        "--plan-token {token} --reason '{}'",
        args.reason.as_deref().unwrap_or("...")
    ));
    words.join(" ")
}
