//! One attempt of a command agent, from its files to its report. Runs on a thread of its own.
//!
//! The program is started directly, never through a shell, as the leader of a new process group; whatever the attempt left
//! in that group is killed when the leader has ended. Its output goes through a pipe into a bounded log.

use std::fs::File;
use std::io::{self, PipeReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::run::{FailureClass, ReportKind};
use orchestrator_engine::env_vars;
use orchestrator_engine::envelope::Envelope;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::settings::AttemptLimits;
use rustix::io::Errno;
use rustix::process::Pid;

use super::checkpoints::Checkpoints;
use super::files::{AttemptFiles, RunFiles};
use super::log::LogWriter;
use super::orphans::kill_orphans;
use super::output::{self, failure};
use super::process::Process;
use super::program::CommandAgent;
use crate::clock::SystemClock;
use crate::host::input::{Inbox, Input};

/// What all commands have in common.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub data_dir: PathBuf,
    pub runs: PathBuf,
    /// Working directory of agents.
    pub base: PathBuf,
    pub limits: AttemptLimits,
    pub inbox: Inbox,
}

/// An attempt to be made by a command.
pub(super) struct Attempt {
    pub key: AttemptKey,
    pub envelope: Arc<Envelope>,
    pub agent: Arc<CommandAgent>,
    pub process: Arc<Process>,
}

/// An attempt that takes longer than this is reported as started; the end of a shorter one says when it started.
const QUICK: Duration = Duration::from_millis(100);
/// How often the checkpoint directory of an attempt that works is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes read from the pipe at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes that are still read after the leader has ended; a pipe holds less unless somebody keeps writing.
const LEFTOVER_BYTES_MAX: usize = 16 << 20;

impl Surroundings {
    /// Makes the attempt and sends its report.
    pub(super) fn perform(&self, attempt: &Attempt) {
        let kind = self
            .attempt(attempt)
            .unwrap_or_else(|failure| ReportKind::Failure(Arc::new(failure)));
        self.inbox.send(Input::Ended(attempt.key, kind));
    }

    fn attempt(&self, attempt: &Attempt) -> Result<ReportKind, orchestrator_core::run::Failure> {
        let system = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| {
                failure(
                    FailureClass::Transient,
                    format!("{what}: {error} (check the data directory's disk)"),
                    None,
                )
            }
        };
        let mut envelope = Arc::clone(&attempt.envelope);
        let files = RunFiles::new(&self.runs, attempt.key.run)
            .prepare(&envelope.task_id, attempt.key)
            .map_err(system("the attempt's directory cannot be made"))?;
        let mut log = LogWriter::new(&files.log, self.limits.log_bytes);
        let mut checkpoints = Checkpoints::begin(
            attempt.key,
            &mut envelope,
            &files,
            self.limits.checkpoint_bytes,
            &self.inbox,
            &mut log,
        )?;
        let stdin = write_envelope(&envelope, &files.envelope)
            .map_err(system("the attempt's envelope cannot be written"))?;
        let (pipe, writer) = io::pipe().map_err(system("no pipe for the attempt's output"))?;
        let started_at = SystemClock.now();
        let child = self
            .command(attempt, &files, stdin, writer)
            .and_then(|mut command| command.spawn())
            .map_err(|error| cannot_start(&attempt.agent, &error))?;
        let watch = Watch {
            attempt,
            inbox: &self.inbox,
            log: &mut log,
            checkpoints: &mut checkpoints,
        };
        let status = watch
            .until_the_end(child, pipe)
            .map_err(system("the attempt cannot be watched"))?;
        if attempt.process.is_stopping() {
            kill_orphans(&self.data_dir, Some(attempt.key));
            checkpoints.leave();
        } else {
            checkpoints.end(status.success());
        }
        let output = output::read(&files.output, self.limits.output_bytes);
        let last = log.last_text();
        log.finish();
        Ok(output::judge(status, output, &last, Some(started_at)))
    }

    fn command(
        &self,
        attempt: &Attempt,
        files: &AttemptFiles,
        stdin: File,
        writer: io::PipeWriter,
    ) -> io::Result<Command> {
        let Attempt {
            key, envelope, agent, ..
        } = attempt;
        let mut command = Command::new(&agent.program);
        command
            .args(&agent.arguments)
            .current_dir(&self.base)
            .envs(&agent.env)
            .env(env_vars::ORCHESTRATOR_ENVELOPE, &files.envelope)
            .env(env_vars::ORCHESTRATOR_OUTPUT, &files.output)
            .env(env_vars::ORCHESTRATOR_RUN_DIR, &files.shared)
            .env(env_vars::ORCHESTRATOR_CHECKPOINT_DIR, &files.checkpoints)
            .env(env_vars::ORCHESTRATOR_RUN_ID, key.run.to_string())
            .env(env_vars::ORCHESTRATOR_TASK_ID, &envelope.task_id)
            .env(env_vars::ORCHESTRATOR_ATTEMPT, key.attempt.to_string())
            .env(env_vars::ORCHESTRATOR_DATA_DIR, &self.data_dir)
            .env(env_vars::ORCHESTRATOR_ATTEMPT_KEY, key.to_string())
            .stdin(stdin)
            .stdout(writer.try_clone()?)
            .stderr(Stdio::from(writer))
            .process_group(0);
        for (name, value) in envelope.trace_variables() {
            match value {
                Some(value) => command.env(name, &*value),
                None => command.env_remove(name),
            };
        }
        Ok(command)
    }
}

/// Written without moving the file's position, so that the agent reads it from the beginning.
fn write_envelope(envelope: &Envelope, path: &Path) -> io::Result<File> {
    let text = serde_json::to_vec(envelope).map_err(io::Error::other)?;
    let file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(path)?;
    file.write_all_at(&text, 0)?;
    Ok(file)
}

fn cannot_start(agent: &CommandAgent, error: &io::Error) -> orchestrator_core::run::Failure {
    let class = match Errno::from_io_error(error) {
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::TXTBSY) => {
            FailureClass::Transient
        }
        _ => FailureClass::Permanent,
    };
    let CommandAgent { name, written, .. } = agent;
    let remedy = "install it, or correct 'command' of the agent in the configuration";
    let message = format!("agent '{name}' cannot be started: '{written}': {error} ({remedy})");
    failure(class, message, None)
}

/// Watches a started process.
struct Watch<'a> {
    attempt: &'a Attempt,
    inbox: &'a Inbox,
    log: &'a mut LogWriter,
    checkpoints: &'a mut Checkpoints,
}

impl Watch<'_> {
    /// Copies what it prints to the log until its leader has ended, whoever still holds the pipe; ends the rest of the
    /// group.
    fn until_the_end(mut self, mut child: Child, pipe: PipeReader) -> io::Result<ExitStatus> {
        let process = &self.attempt.process;
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let leader = leader.expect("the system gives process ids that fit");
        process.started(leader);
        let watched = self.copy_output(leader, pipe);
        if watched.is_err() {
            // Nobody would notice its end.
            process.stop();
        }
        process.kill();
        process.ended();
        let status = child.wait()?;
        watched.map(|()| status)
    }

    fn copy_output(&mut self, leader: Pid, mut pipe: PipeReader) -> io::Result<()> {
        let exit = exit::Exit::of(leader)?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let mut buffer = Vec::new();
        let mut is_open = true;
        let mut is_quick = true;
        let mut next_look = moment() + QUICK;
        loop {
            let at_most = next_look.saturating_duration_since(moment());
            let ready = exit.wait(is_open.then_some(&pipe), at_most)?;
            if moment() >= next_look && !ready.has_ended {
                next_look = moment() + LOOK;
                match std::mem::take(&mut is_quick) {
                    true => self
                        .inbox
                        .send(Input::Said(self.attempt.key, ReportKind::Started)),
                    false => self.checkpoints.look(),
                }
            }
            if ready.has_output {
                is_open = self.copy_some(&mut pipe, &mut buffer, CHUNK_BYTES)?;
            }
            if ready.has_ended {
                // The group goes first, so that nobody is left to write.
                self.attempt.process.kill();
                if is_open {
                    self.copy_some(&mut pipe, &mut buffer, LEFTOVER_BYTES_MAX)?;
                }
                return Ok(());
            }
        }
    }

    /// Copies what is there, up to about `bytes_max`. Whether more may come.
    fn copy_some(
        &mut self,
        pipe: &mut PipeReader,
        buffer: &mut Vec<u8>,
        bytes_max: usize,
    ) -> io::Result<bool> {
        let mut copied = 0;
        buffer.resize(CHUNK_BYTES, 0);
        while copied < bytes_max {
            match pipe.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.log.write(&buffer[..count]);
                    copied += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// A moment, to wait from: the clock of the wall may jump.
#[expect(
    clippy::disallowed_methods,
    reason = "only differences of it are used, and nothing is recorded"
)]
fn moment() -> Instant {
    Instant::now()
}

/// Waiting for output and for the end of a process at once.
mod exit {
    use std::io::{self, PipeReader};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use rustix::process::Pid;

    /// What happened.
    pub(super) struct Ready {
        pub has_output: bool,
        pub has_ended: bool,
    }

    /// A handle that becomes readable when the process has ended.
    #[cfg(target_os = "linux")]
    pub(super) struct Exit(std::os::fd::OwnedFd);

    #[cfg(target_os = "linux")]
    impl Exit {
        pub(super) fn of(process: Pid) -> io::Result<Exit> {
            use rustix::process::{PidfdFlags, pidfd_open};
            Ok(Exit(pidfd_open(process, PidfdFlags::empty())?))
        }

        pub(super) fn wait(&self, pipe: Option<&PipeReader>, at_most: Duration) -> io::Result<Ready> {
            let mut fds = vec![PollFd::new(&self.0, PollFlags::IN)];
            fds.extend(pipe.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
            poll_all(&mut fds, at_most)?;
            Ok(Ready {
                has_ended: !fds[0].revents().is_empty(),
                has_output: fds.get(1).is_some_and(|fd| !fd.revents().is_empty()),
            })
        }
    }

    /// Elsewhere the end is looked for a hundred times a second.
    #[cfg(not(target_os = "linux"))]
    pub(super) struct Exit(Pid);

    #[cfg(not(target_os = "linux"))]
    impl Exit {
        const PAUSE: Duration = Duration::from_millis(10);

        pub(super) fn of(process: Pid) -> io::Result<Exit> {
            Ok(Exit(process))
        }

        pub(super) fn wait(&self, pipe: Option<&PipeReader>, at_most: Duration) -> io::Result<Ready> {
            use rustix::process::{WaitId, WaitIdOptions, waitid};
            let mut fds: Vec<PollFd<'_>> = pipe
                .iter()
                .map(|pipe| PollFd::new(*pipe, PollFlags::IN))
                .collect();
            let found = poll_all(&mut fds, at_most.min(Self::PAUSE))?;
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let has_ended = waitid(WaitId::Pid(self.0), options)?.is_some();
            Ok(Ready {
                has_ended,
                has_output: found > 0,
            })
        }
    }

    fn poll_all(fds: &mut [PollFd<'_>], at_most: Duration) -> io::Result<usize> {
        let timeout = Timespec {
            tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        };
        match poll(fds, Some(&timeout)) {
            Ok(count) => Ok(count),
            Err(Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
