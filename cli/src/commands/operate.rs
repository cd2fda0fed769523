//! `cancel`, `pause`, `resume`, `retry`, `priority`, `approve`, `reject`, `rerun`: a person's word on a run or a task.

use http::Method;
use orchestrator_engine::api::operations::OperationBody;
use orchestrator_engine::views::{RunSummaryView, TaskView};

use crate::args::{Global, PriorityArgs, ReasonRunArgs, ReasonTaskArgs, RunIdArgs, TaskArgs};
use crate::client::{Client, run_path, task_path};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// `pause`, `resume`, `retry`.
pub fn on_run(global: &Global, args: &RunIdArgs, verb: &str, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let view = client.post(&run_path(&run, &format!("/{verb}")), &OperationBody::default())?;
    show_run(&client, &view, output)
}

/// `cancel`.
pub fn cancel(global: &Global, args: &ReasonRunArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let body = OperationBody {
        reason: args.reason.clone(),
        ..OperationBody::default()
    };
    let view = client.post(&run_path(&run, "/cancel"), &body)?;
    show_run(&client, &view, output)
}

/// `priority`.
pub fn priority(global: &Global, args: &PriorityArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let body = OperationBody {
        priority: Some(args.priority),
        ..OperationBody::default()
    };
    let view = client.with_body(Method::PATCH, &run_path(&run, ""), &body)?;
    show_run(&client, &view, output)
}

/// `approve`, `rerun`.
pub fn on_task(global: &Global, args: &TaskArgs, verb: &str, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let view = client.post(
        &task_path(&run, &args.task, &format!("/{verb}")),
        &OperationBody::default(),
    )?;
    show_task(&client, &run, &view, output)
}

/// `reject`.
pub fn reject(global: &Global, args: &ReasonTaskArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let body = OperationBody {
        reason: args.reason.clone(),
        ..OperationBody::default()
    };
    let view = client.post(&task_path(&run, &args.task, "/reject"), &body)?;
    show_task(&client, &run, &view, output)
}

fn show_run(client: &Client, view: &RunSummaryView, output: &Output) -> Result<Exit, Failure> {
    output.answer(view, |view, page| {
        page.line(format!("run {} is {}", view.id, view.status))
    });
    remind(client, view.status.is_terminal(), output);
    Ok(Exit::Success)
}

fn show_task(client: &Client, run: &str, view: &TaskView, output: &Output) -> Result<Exit, Failure> {
    output.answer(view, |view, page| {
        page.line(format!("task '{}' of run {run} is {}", view.id, view.status))
    });
    remind(client, view.status.is_terminal(), output);
    Ok(Exit::Success)
}

/// Without a process that works on the data directory the word is recorded, and nothing follows yet.
pub fn remind(client: &Client, has_ended: bool, output: &Output) {
    if matches!(client, Client::Local(_)) && !has_ended {
        output.note(
            "note: no process works on this data directory; 'orchestrator serve' goes on with its runs",
        );
    }
}
