//! `agent exec`: the work of one attempt, anywhere: gets the envelope, runs the command as a command agent, reports over HTTP.

mod checkpoints;
mod files;
mod reporter;
mod watch;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use orchestrator_core::run::{Failure as TaskFailure, FailureClass, ReportKind};
use orchestrator_embedded::agents::output::{self, failure};
use orchestrator_engine::env_vars;
use orchestrator_engine::views::CheckpointView;
use serde::Deserialize;
use serde_json::Value;

use super::submission::read_text;
use crate::args::{AgentExecArgs, Global};
use crate::client::Client;
use crate::client::remote::Remote;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use checkpoints::Checkpoints;
use files::Files;
use reporter::Reporter;
use watch::{Ended, Stop};

/// Largest output that is read, bytes.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// What is needed of the envelope.
#[derive(Debug, Deserialize)]
struct Envelope {
    run_id: String,
    task_id: String,
    epoch: u32,
    attempt: u32,
    token: String,
    #[serde(default)]
    traceparent: Option<String>,
    #[serde(default)]
    tracestate: Option<String>,
    #[serde(default)]
    baggage: Option<String>,
    #[serde(default)]
    timeout_seconds: Option<f64>,
    #[serde(default)]
    checkpoint: Option<Value>,
    #[serde(default)]
    checkpoints: Vec<CheckpointView>,
}

/// Does the work and reports it.
pub fn run(global: &Global, args: &AgentExecArgs, output: &Output) -> Result<Exit, Failure> {
    let Some(endpoint) = &global.endpoint else {
        return Err(Failure::usage(
            "agent exec does not know where to report (give --endpoint URL)",
        ));
    };
    let path = files::path_of(env_vars::ORCHESTRATOR_ENVELOPE);
    let text = read_text(path.as_deref().unwrap_or(Path::new("-")))?;
    let envelope: Envelope = serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!(
            "the envelope cannot be read: {error} (give it on standard input)"
        ))
    })?;
    let (envelope, text) = checkpoints::without_files(envelope, text, output);
    let reporter = Arc::new(Reporter {
        client: Client::Remote(Remote::new(endpoint, None)?),
        envelope,
    });
    let files = Files::make(&reporter.envelope, &text)?;
    let checkpoints = Arc::new(Checkpoints::restored(&files, Arc::clone(&reporter))?);
    reporter.report(&ReportKind::Started)?;
    let kind = match work(&args.command, &files, &checkpoints) {
        Ok(Ended {
            stop: Some(Stop::Stale(stale)),
            ..
        }) => return Err(stale),
        Ok(ended) => {
            if let Err(error) = checkpoints
                .forward()
                .and_then(|()| checkpoints.tell_what_is_left(&files))
            {
                output.note(&format!("error: the last checkpoint is lost: {}", error.message));
            }
            outcome(&ended, &files, reporter.envelope.timeout_seconds)
        }
        Err(failure) => ReportKind::Failure(failure.into()),
    };
    if let ReportKind::Failure(failure) = &kind {
        output.note(&format!("error: {}", failure.message));
    }
    reporter.report_end(&kind, output)?;
    Ok(match kind {
        ReportKind::Failure(_) => Exit::Failed,
        _ => Exit::Success,
    })
}

/// Runs the command to its end, within the attempt's time.
fn work(
    argv: &[std::ffi::OsString],
    files: &Files,
    checkpoints: &Arc<Checkpoints>,
) -> Result<Ended, TaskFailure> {
    let (program, arguments) = argv.split_first().expect("clap wants at least one");
    let envelope = &checkpoints.reporter().envelope;
    let lost = |cause: std::io::Error| {
        failure(
            FailureClass::Error,
            format!("the command was lost: {cause}"),
            None,
        )
    };
    let stdin = std::fs::File::open(&files.envelope).map_err(lost)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env(env_vars::ORCHESTRATOR_ENVELOPE, &files.envelope)
        .env(env_vars::ORCHESTRATOR_OUTPUT, &files.output)
        .env(env_vars::ORCHESTRATOR_RUN_DIR, &files.run_dir)
        .env(env_vars::ORCHESTRATOR_CHECKPOINT_DIR, &files.checkpoints)
        .env(env_vars::ORCHESTRATOR_RUN_ID, &envelope.run_id)
        .env(env_vars::ORCHESTRATOR_TASK_ID, &envelope.task_id)
        .env(env_vars::ORCHESTRATOR_ATTEMPT, envelope.attempt.to_string())
        .stdin(Stdio::from(stdin));
    let trace = [
        (env_vars::TRACEPARENT, &envelope.traceparent),
        (env_vars::TRACESTATE, &envelope.tracestate),
        (env_vars::BAGGAGE, &envelope.baggage),
    ];
    for (name, value) in trace {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let (noticed, notices) = mpsc::channel();
    watch::hear_signals(noticed.clone()).map_err(lost)?;
    let child = watch::start(&mut command).map_err(|cause| {
        let name = program.to_string_lossy();
        failure(
            FailureClass::Permanent,
            format!("the command '{name}' cannot be started: {cause}"),
            None,
        )
    })?;
    checkpoints::forward_while_it_works(Arc::clone(checkpoints), noticed.clone());
    let timeout = envelope
        .timeout_seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    watch::until_the_end(child, timeout, noticed, &notices).map_err(lost)
}

/// What is reported of a command that has ended.
fn outcome(ended: &Ended, files: &Files, timeout_seconds: Option<f64>) -> ReportKind {
    let stopped = match &ended.stop {
        None | Some(Stop::Stale(_)) => {
            let left = output::read(&files.output, OUTPUT_BYTES_MAX);
            return output::judge(ended.status, left, "", None);
        }
        Some(Stop::Timeout) => failure(
            FailureClass::Timeout,
            format!(
                "the command took longer than its {} s and was stopped",
                timeout_seconds.unwrap_or_default()
            ),
            ended.status.code(),
        ),
        Some(Stop::Signal) => failure(
            FailureClass::Transient,
            "agent exec was told to stop by a signal, and stopped the command",
            ended.status.code(),
        ),
    };
    ReportKind::Failure(stopped.into())
}
