//! `run`: runs a workflow and follows it to its end.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Request;
use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunStatus;
use orchestrator_embedded::DataDir;
use orchestrator_engine::api::events::Feed;
use orchestrator_engine::api::workflows::SubmittedView;
use orchestrator_engine::views::{RunView, TaskView};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::get::tasks_table;
use super::submission::Submission;
use super::submit;
use crate::args::{Global, RunArgs};
use crate::client::remote::Remote;
use crate::client::{self, Client, run_path};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::follow::board::Board;
use crate::follow::{self, Ended, Events};
use crate::host::{self, Host};
use crate::output::{Output, Page, text};
use crate::telemetry;

/// Events in flight between their source and the screen.
const EVENTS_BUFFERED: usize = 1_024;

/// Runs the workflow: in this process, or through the process that owns the data directory.
pub fn run(global: &Global, args: &RunArgs, output: &Output) -> Result<Exit, Failure> {
    let submission = Submission::read(&args.submission)?;
    let is_owned = global.endpoint.is_some() || matches!(DataDir::new(&global.data).owner(), Ok(Some(_)));
    if is_owned {
        let client = Client::connect_for(global, Some(&args.submission.file))?;
        let submitted = submit::send(&client, &submission, None, args.no_cache)?;
        let Client::Remote(remote) = &client else {
            unreachable!("an owned data directory is reached over HTTP")
        };
        return follow_remote(&client, remote, submitted.id, 0, output);
    }
    let config = Config::load(global, Some(&args.submission.file))?;
    let runtime = host::runtime()?;
    let host = runtime.block_on(Host::start(global, config, host::Listen::Private))?;
    host.tell_recovered(None, output);
    let result = run_here(&runtime, &host, &submission, args, output);
    runtime.block_on(host.tell_unfinished(output));
    runtime.block_on(host.stop());
    result
}

fn run_here(
    runtime: &Runtime,
    host: &Host,
    submission: &Submission,
    args: &RunArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut request = Request::post("/workflows").header("content-type", "application/json");
    for (name, value) in telemetry::inherited() {
        request = request.header(name, value);
    }
    if let Some((name, value)) = submit::freshness(args.no_cache) {
        request = request.header(name, value);
    }
    let request = request.body(Bytes::from(submission.to_json())).map_err(|error| {
        Failure::usage(format!(
            "the trace context in the environment cannot be sent: {error}"
        ))
    })?;
    let submitted: SubmittedView =
        client::read(&runtime.block_on(host.ask(request))).map_err(|failure| submission.locate(failure))?;
    for warning in &submitted.warnings {
        output.note(&format!("{}:{warning}", submission.file));
    }
    announce(&submitted, args.quiet, output);
    follow_here(runtime, host, Feed::of(submitted.id), args.quiet, output)
}

fn follow_here(
    runtime: &Runtime,
    host: &Host,
    feed: Feed,
    quiet: bool,
    output: &Output,
) -> Result<Exit, Failure> {
    let run = feed.run().to_string();
    let board = Board::new(&get_here(runtime, host, &run)?);
    let events = runtime.block_on(async { source_here(host, feed) });
    match runtime.block_on(follow::follow(events, board, output, quiet))? {
        Ended::RunEnded => finish(&get_here(runtime, host, &run)?, output),
        Ended::Interrupted => Ok(interrupted(&run, output)),
    }
}

/// Goes on with a run of the client's and follows it to its end, from after an append on: on the server, or in this process.
pub fn go_on(
    global: &Global,
    client: &Client,
    run: RunId,
    after: u64,
    output: &Output,
) -> Result<Exit, Failure> {
    if let Client::Remote(remote) = client {
        return follow_remote(client, remote, run, after, output);
    }
    let config = Config::load(global, None)?;
    let runtime = host::runtime()?;
    let host = runtime.block_on(Host::start(global, config, host::Listen::Private))?;
    host.tell_recovered(Some(run), output);
    let goes_on = host.backend().orchestrator().recovered().runs.contains(&run);
    let result = match goes_on {
        true => follow_here(&runtime, &host, Feed::after(run, after), false, output),
        false => Err(Failure::new(
            Exit::Refused,
            format!("run {run} cannot go on here (give --config with the agents it began with)"),
        )),
    };
    runtime.block_on(host.tell_unfinished(output));
    runtime.block_on(host.stop());
    result
}

/// Follows a run on a server, from after an append on.
pub fn follow_remote(
    client: &Client,
    remote: &Remote,
    run: RunId,
    after: u64,
    output: &Output,
) -> Result<Exit, Failure> {
    let run = run.to_string();
    output.note(&format!("run {run} on {}", remote.endpoint()));
    let board = Board::new(&client.get::<RunView>(&run_path(&run, "?tasks_limit=10000"))?);
    let mut reader = remote.events(&run_path(&run, "/events"), after)?;
    let (sender, events) = mpsc::channel(EVENTS_BUFFERED);
    std::thread::spawn(move || {
        loop {
            let next = reader.next().transpose();
            let Some(next) = next else { return };
            let is_last = next.is_err();
            if sender.blocking_send(next).is_err() || is_last {
                return;
            }
        }
    });
    let runtime = host::runtime()?;
    match runtime.block_on(follow::follow(events, board, output, false))? {
        Ended::RunEnded => finish(&client.get(&run_path(&run, "?tasks_limit=10000"))?, output),
        Ended::Interrupted => {
            output.note(&format!(
                "stopped following; the run goes on (orchestrator events {run} --follow)"
            ));
            Ok(Exit::Interrupted)
        }
    }
}

fn source_here(host: &Host, mut feed: Feed) -> Events {
    let (sender, events) = mpsc::channel(EVENTS_BUFFERED);
    let backend = host.backend().clone();
    let mut changes = backend.subscribe();
    tokio::spawn(async move {
        loop {
            let next = match feed.next(&backend).await {
                Ok(next) => next,
                Err(problem) => {
                    // Nobody follows any more if the receiver is gone.
                    let _ = sender.send(Err(problem.into())).await;
                    return;
                }
            };
            for event in next {
                if sender.send(Ok(event)).await.is_err() {
                    return;
                }
            }
            if feed.status().is_some_and(RunStatus::is_terminal) {
                return;
            }
            if !changes.of(feed.run()).await {
                return;
            }
        }
    });
    events
}

fn get_here(runtime: &Runtime, host: &Host, run: &str) -> Result<RunView, Failure> {
    let request = Request::get(run_path(run, "?tasks_limit=10000"))
        .body(Bytes::new())
        .expect("the path is encoded");
    client::read(&runtime.block_on(host.ask(request)))
}

fn announce(submitted: &SubmittedView, quiet: bool, output: &Output) {
    if !quiet {
        let tasks = text::count(submitted.tasks, "task");
        output.note(&format!("run {}: {}, {tasks}", submitted.id, submitted.workflow));
    }
}

/// The final table, files among the outputs, and the exit code.
fn finish(run: &RunView, output: &Output) -> Result<Exit, Failure> {
    output.answer(run, show);
    Ok(match run.status {
        RunStatus::Success => Exit::Success,
        _ => Exit::Failed,
    })
}

fn show(run: &RunView, page: &mut Page) {
    page.gap();
    page.table(&tasks_table(&run.tasks));
    page.gap();
    let ended = match run.status {
        RunStatus::Success => format!(
            "{} succeeded in {}",
            run.workflow,
            text::duration(run.duration_ms)
        ),
        status => format!(
            "{} is {status} after {}",
            run.workflow,
            text::duration(run.duration_ms)
        ),
    };
    page.line(ended);
    for (name, path) in results(run) {
        page.line(format!("{name}: {}", path.display()));
    }
    if matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
        let failed = run
            .tasks
            .iter()
            .find(|task| task.error.is_some() && task.output.is_none());
        if let Some(task) = failed {
            page.line(format!("why:   orchestrator explain {} {}", run.id, task.id));
        }
        page.line(format!("again: orchestrator retry {}", run.id));
    }
}

/// Existing files that the last tasks name in their outputs: what somebody who runs a workflow wants to open.
fn results(run: &RunView) -> Vec<(String, PathBuf)> {
    const SHOWN_MAX: usize = 10;
    let is_last = |task: &&TaskView| !run.tasks.iter().any(|other| other.depends_on.contains(&task.id));
    let outputs = run
        .tasks
        .iter()
        .filter(is_last)
        .filter_map(|task| task.output.as_ref()?.as_object());
    let texts = outputs
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), Value::as_str(value)?)));
    let files = texts.filter(|(_, text)| text.contains('/') && Path::new(text).is_file());
    files
        .map(|(name, text)| (name, shortened(text)))
        .take(SHOWN_MAX)
        .collect()
}

/// Relative to the current directory, if it is in there.
fn shortened(path: &str) -> PathBuf {
    let here = std::env::current_dir().ok();
    let inside = here
        .as_deref()
        .and_then(|here| Path::new(path).strip_prefix(here).ok());
    inside.map_or_else(|| PathBuf::from(path), Path::to_path_buf)
}

fn interrupted(run: &str, output: &Output) -> Exit {
    output.note(&format!(
        "interrupted: run {run} is not lost\n  orchestrator serve         # goes on with it, as does the next 'orchestrator run'\n  \
         orchestrator cancel {run}  # ends it"
    ));
    Exit::Interrupted
}
