//! Processes of attempts that nobody watches any more.
//!
//! Every command gets two environment variables that mark it and whatever it starts: the data directory and the attempt.
//! They find agents of an owner that was killed, and what left the process group of an attempt that has to stop.

use std::path::Path;

use orchestrator_core::ids::AttemptKey;
use orchestrator_engine::env_vars;

/// Kills every process that belongs to an attempt of this data directory (to `attempt` only, if given). Returns how many.
/// Does nothing on systems without `/proc`.
pub(crate) fn kill_orphans(data_dir: &Path, attempt: Option<AttemptKey>) -> usize {
    let mut marks = vec![mark(
        env_vars::ORCHESTRATOR_DATA_DIR,
        data_dir.as_os_str().as_encoded_bytes(),
    )];
    if let Some(key) = attempt {
        marks.push(mark(
            env_vars::ORCHESTRATOR_ATTEMPT_KEY,
            key.to_string().as_bytes(),
        ));
    }
    let mut killed = 0;
    // A process may start another one while we look: look until nobody is left.
    for _ in 0..ROUNDS_MAX {
        match platform::kill_marked(&marks) {
            0 => break,
            some => killed += some,
        }
    }
    killed
}

const ROUNDS_MAX: usize = 16;

fn mark(variable: &str, value: &[u8]) -> Vec<u8> {
    [variable.as_bytes(), b"=", value].concat()
}

#[cfg(target_os = "linux")]
mod platform {
    use std::fs;

    use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

    /// One look at all processes.
    pub(super) fn kill_marked(marks: &[Vec<u8>]) -> usize {
        let Ok(entries) = fs::read_dir("/proc") else {
            return 0;
        };
        let processes = entries.filter_map(|entry| {
            let number: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Pid::from_raw(number)
        });
        processes
            .filter(|process| *process != getpid() && kill_if_marked(*process, marks).is_some())
            .count()
    }

    fn kill_if_marked(process: Pid, marks: &[Vec<u8>]) -> Option<()> {
        if !has_marks(process, marks) {
            return None;
        }
        // The handle pins the process: the second look is at the one the signal goes to.
        let handle = pidfd_open(process, PidfdFlags::empty()).ok()?;
        if !has_marks(process, marks) {
            return None;
        }
        pidfd_send_signal(&handle, Signal::KILL).ok()
    }

    /// A process that has ended has no environment any more.
    fn has_marks(process: Pid, marks: &[Vec<u8>]) -> bool {
        let Ok(environment) = fs::read(format!("/proc/{}/environ", process.as_raw_nonzero())) else {
            return false;
        };
        let has = |mark: &Vec<u8>| environment.split(|byte| *byte == 0).any(|entry| entry == mark);
        marks.iter().all(has)
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(super) fn kill_marked(_marks: &[Vec<u8>]) -> usize {
        0
    }
}
