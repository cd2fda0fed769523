//! What `process` is compared with: `xargs` starting the same program.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::measure::now;

/// Milliseconds per process of `xargs -P2 -n1 /bin/true`.
pub(super) fn xargs_ms_per_process(processes: u32) -> Option<f64> {
    let begin = now();
    let mut xargs = Command::new("xargs")
        .args(["-P2", "-n1", "/bin/true"])
        .stdin(Stdio::piped())
        .spawn()
        .ok()?;
    let lines: String = (0..processes).map(|number| format!("{number}\n")).collect();
    xargs.stdin.take()?.write_all(lines.as_bytes()).ok()?;
    let succeeded = xargs.wait().ok()?.success();
    succeeded.then(|| begin.elapsed().as_secs_f64() * 1e3 / f64::from(processes))
}
