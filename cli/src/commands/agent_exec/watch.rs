//! The command as a process group: started, stopped in time, and never left behind.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use orchestrator_embedded::agents::process::Process;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;

/// How long a command that was told to stop may take before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Why the command is stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The attempt's time is over.
    Timeout,
    /// This process was told to stop.
    Signal,
    /// Another attempt is the live one, or none; with what the server said.
    Stale(Failure),
}

/// Something happened.
#[derive(Debug)]
pub(super) enum Noticed {
    /// The command ended.
    Ended,
    /// It has to.
    Stop(Stop),
}

/// A command that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub status: ExitStatus,
    /// Why it was stopped, if it was.
    pub stop: Option<Stop>,
}

/// From now on a signal to stop is a notice instead of the end of this process.
pub(super) fn hear_signals(noticed: Sender<Noticed>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let inside = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    drop(inside);
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if noticed.send(Noticed::Stop(Stop::Signal)).is_err() {
                    return;
                }
            }
        });
    });
    Ok(())
}

/// Starts the command as the leader of a process group.
pub(super) fn start(command: &mut Command) -> io::Result<Child> {
    command.process_group(0).spawn()
}

/// Waits for the end, stops the command when its time is over or when told to, and ends what is left of its group.
pub(super) fn until_the_end(
    mut child: Child,
    timeout: Option<Duration>,
    noticed: Sender<Noticed>,
    notices: &Receiver<Noticed>,
) -> io::Result<Ended> {
    let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let leader = leader.expect("the system gives process ids that fit");
    let process = Process::default();
    process.started(leader);
    // Leaves it to be reaped below, so that its number cannot be given to another process before.
    thread::spawn(move || {
        let _ = waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        // Somebody waits for it.
        let _ = noticed.send(Noticed::Ended);
    });
    let mut stop = None;
    let mut at_most = timeout;
    loop {
        let notice = match at_most {
            Some(at_most) => notices.recv_timeout(at_most),
            None => notices.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let why = match notice {
            Ok(Noticed::Ended) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(Noticed::Stop(why)) => why,
            Err(RecvTimeoutError::Timeout) => Stop::Timeout,
        };
        if stop.is_none() {
            process.stop();
            stop = Some(why);
            at_most = Some(GRACE);
        } else {
            // Asked twice, or asked long ago.
            process.kill();
            at_most = None;
        }
    }
    process.kill();
    process.ended();
    Ok(Ended {
        status: child.wait()?,
        stop,
    })
}
