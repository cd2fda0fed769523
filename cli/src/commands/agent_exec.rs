//! `agent exec`: the work of one attempt, anywhere: gets the envelope, runs the command as a command agent, reports over HTTP.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use orchestrator_engine::api::reports::{ReportBody, ReportType, Reported, ReportedClass, ReportedError};
use orchestrator_engine::env_vars;
use serde::Deserialize;
use serde_json::Value;

use super::submission::read_text;
use crate::args::{AgentExecArgs, Global};
use crate::client::remote::Remote;
use crate::client::{Client, task_path};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Exit code of a command that says that trying again may help (`EX_TEMPFAIL` of sysexits).
const EXIT_TRANSIENT: i32 = 75;
/// Largest output that is read.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;
/// How often the report of the end is tried while the server cannot be reached.
const REPORT_TRIES: u32 = 6;

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
}

/// Does the work and reports it.
pub fn run(global: &Global, args: &AgentExecArgs, output: &Output) -> Result<Exit, Failure> {
    let Some(endpoint) = &global.endpoint else {
        return Err(Failure::usage(
            "agent exec does not know where to report (give --endpoint URL)",
        ));
    };
    let path = path_of(env_vars::ORCHESTRATOR_ENVELOPE);
    let text = read_text(path.as_deref().unwrap_or(Path::new("-")))?;
    let envelope: Envelope = serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!(
            "the envelope cannot be read: {error} (give it on standard input)"
        ))
    })?;
    let reporter = Reporter {
        client: Client::Remote(Remote::new(endpoint, None)?),
        envelope,
    };
    reporter.report(ReportType::TaskStarted, |_| {})?;
    let files = Files::make(&reporter.envelope, &text)?;
    let ended = work(&args.command, &text, &reporter.envelope, &files);
    let outcome = ended.and_then(|code| files.outcome(code));
    let succeeded = outcome.is_ok();
    match outcome {
        Ok(result) => reporter.report_end(
            ReportType::TaskSuccess,
            |report| report.output = result.clone(),
            output,
        )?,
        Err(error) => {
            output.note(&format!("error: {}", error.message));
            reporter.report_end(
                ReportType::TaskFailure,
                |report| report.error = Some(error.clone()),
                output,
            )?;
        }
    }
    Ok(if succeeded { Exit::Success } else { Exit::Failed })
}

struct Reporter {
    client: Client,
    envelope: Envelope,
}

impl Reporter {
    fn report(&self, kind: ReportType, fill: impl Fn(&mut ReportBody)) -> Result<Reported, Failure> {
        let Envelope {
            run_id,
            task_id,
            epoch,
            attempt,
            token,
            ..
        } = &self.envelope;
        let mut report = ReportBody {
            kind,
            epoch: *epoch,
            attempt: *attempt,
            token: Some(token.clone()),
            started_at: None,
            output: None,
            percent: None,
            message: None,
            checkpoint: None,
            error: None,
        };
        fill(&mut report);
        self.client.post(&task_path(run_id, task_id, "/events"), &report)
    }

    /// The end of hours of work is worth some patience.
    fn report_end(
        &self,
        kind: ReportType,
        fill: impl Fn(&mut ReportBody),
        output: &Output,
    ) -> Result<(), Failure> {
        let mut pause = Duration::from_secs(1);
        for _ in 1..REPORT_TRIES {
            match self.report(kind, &fill) {
                Err(failure) if failure.exit == Exit::Unavailable => {
                    output.note(&format!(
                        "error: {} (trying again in {} s)",
                        failure.message,
                        pause.as_secs()
                    ));
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                other => return other.map(drop),
            }
        }
        self.report(kind, &fill).map(drop)
    }
}

/// A path the surroundings name.
fn path_of(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The files of the attempt; those that the surroundings name are used as they are.
struct Files {
    directory: PathBuf,
    output: PathBuf,
    envelope: PathBuf,
    run_dir: PathBuf,
    checkpoints: PathBuf,
}

impl Files {
    fn make(envelope: &Envelope, text: &str) -> Result<Files, Failure> {
        let name = format!(
            "orchestrator-{}-{}-{}",
            envelope.run_id,
            envelope.epoch,
            std::process::id()
        );
        let directory = std::env::temp_dir().join(name);
        let files = Files {
            output: directory.join("output.json"),
            envelope: directory.join("envelope.json"),
            run_dir: path_of(env_vars::ORCHESTRATOR_RUN_DIR).unwrap_or_else(|| directory.join("run")),
            checkpoints: path_of(env_vars::ORCHESTRATOR_CHECKPOINT_DIR)
                .unwrap_or_else(|| directory.join("checkpoints")),
            directory,
        };
        let make = || -> std::io::Result<()> {
            std::fs::create_dir_all(&files.directory)?;
            std::fs::create_dir_all(&files.run_dir)?;
            std::fs::create_dir_all(&files.checkpoints)?;
            std::fs::write(&files.envelope, text)
        };
        make().map_err(|error| {
            Failure::unavailable(format!(
                "cannot write to '{}': {error} (is the disk full?)",
                files.directory.display()
            ))
        })?;
        Ok(files)
    }

    /// What the command left behind, given its exit code.
    fn outcome(&self, code: Option<i32>) -> Result<Option<Value>, ReportedError> {
        let output = self.read_output()?;
        let told = output.as_ref().and_then(|output| output.get("error")).cloned();
        let told: Option<ReportedError> = told.and_then(|told| serde_json::from_value(told).ok());
        match (code, told) {
            (Some(0), _) => Ok(output),
            (code, Some(told)) => Err(ReportedError {
                exit_code: code,
                ..told
            }),
            (Some(EXIT_TRANSIENT), None) => Err(error(
                ReportedClass::Transient,
                "the command exited with code 75 (transient)",
                code,
            )),
            (Some(code), None) => Err(error(
                ReportedClass::Error,
                &format!("the command exited with code {code}"),
                Some(code),
            )),
            (None, None) => Err(error(
                ReportedClass::Error,
                "the command was killed by a signal",
                None,
            )),
        }
    }

    fn read_output(&self) -> Result<Option<Value>, ReportedError> {
        let size = match std::fs::metadata(&self.output) {
            Ok(metadata) => metadata.len(),
            Err(_) => return Ok(None),
        };
        if size > OUTPUT_BYTES_MAX {
            let message = format!("the output has {size} bytes, more than the {OUTPUT_BYTES_MAX} allowed");
            return Err(error(ReportedClass::Permanent, &message, None));
        }
        let text = std::fs::read(&self.output);
        let text = text.map_err(|cause| {
            error(
                ReportedClass::Error,
                &format!("the output cannot be read: {cause}"),
                None,
            )
        })?;
        if text.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&text).map(Some).map_err(|cause| {
            error(
                ReportedClass::Permanent,
                &format!("the output is not JSON: {cause}"),
                None,
            )
        })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // A directory under the system's temporary one; what cannot be removed is the system's to remove.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn error(class: ReportedClass, message: &str, exit_code: Option<i32>) -> ReportedError {
    ReportedError {
        class,
        message: message.to_owned(),
        exit_code,
    }
}

/// Runs the command to its end; its exit code, or none when a signal ended it.
fn work(
    argv: &[std::ffi::OsString],
    envelope_text: &str,
    envelope: &Envelope,
    files: &Files,
) -> Result<Option<i32>, ReportedError> {
    let (program, arguments) = argv.split_first().expect("clap wants at least one");
    let started = Command::new(program)
        .args(arguments)
        .env(env_vars::ORCHESTRATOR_ENVELOPE, &files.envelope)
        .env(env_vars::ORCHESTRATOR_OUTPUT, &files.output)
        .env(env_vars::ORCHESTRATOR_RUN_DIR, &files.run_dir)
        .env(env_vars::ORCHESTRATOR_CHECKPOINT_DIR, &files.checkpoints)
        .env(env_vars::ORCHESTRATOR_RUN_ID, &envelope.run_id)
        .env(env_vars::ORCHESTRATOR_TASK_ID, &envelope.task_id)
        .env(env_vars::ORCHESTRATOR_ATTEMPT, envelope.attempt.to_string())
        .env(
            env_vars::TRACEPARENT,
            envelope.traceparent.as_deref().unwrap_or_default(),
        )
        .stdin(Stdio::piped())
        .spawn();
    let name = program.to_string_lossy();
    let mut child: Child = started.map_err(|cause| {
        error(
            ReportedClass::Permanent,
            &format!("the command '{name}' cannot be started: {cause}"),
            None,
        )
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        let text = envelope_text.to_owned();
        // A command that does not read its input is fine; the pipe breaks when it ends.
        std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    }
    let status = child.wait();
    let status = status.map_err(|cause| {
        error(
            ReportedClass::Error,
            &format!("the command was lost: {cause}"),
            None,
        )
    })?;
    Ok(status.code())
}
