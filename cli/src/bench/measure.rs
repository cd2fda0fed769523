//! What is measured.

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

use orchestrator_core::ids::RunId;
use serde::Serialize;

/// The figures of one workload. `null` where they do not apply or the system does not tell.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Name of the workload.
    pub workload: String,
    /// How the runs were submitted.
    pub over: String,
    /// Who did the tasks.
    pub agent: String,
    /// Runs.
    pub runs: u32,
    /// Tasks of all runs.
    pub tasks: u32,
    /// From the first submission to the end of the last run.
    pub wall_s: f64,
    /// Tasks per second of that time.
    pub tasks_per_s: f64,
    /// Milliseconds per task.
    pub ms_per_task: f64,
    /// Time between two appends of a run, that is from the end of a task to the dispatch of the next: median.
    pub hop_p50_ms: Option<f64>,
    /// The same, 99th percentile.
    pub hop_p99_ms: Option<f64>,
    /// Bytes that the orchestrator's process made the system write to disk per task, from the end of its start to after its
    /// end (over HTTP: to before its end, that is without the last checkpoint): `write_bytes` of `/proc/PID/io`.
    pub bytes_written_per_task: Option<f64>,
    /// Bytes that it passed to `write` per task: `wchar`.
    pub bytes_passed_per_task: Option<f64>,
    /// Bytes written once, while the first start makes the data directory: most of it is the log at the size it keeps.
    pub bytes_written_at_start: Option<f64>,
    /// Transactions.
    pub commits: u64,
    /// Most memory used by the orchestrator's process, MiB.
    pub peak_rss_mb: Option<f64>,
    /// Over HTTP only: from the start of the server's process to its first answer.
    pub server_start_ms: Option<f64>,
    /// Over HTTP only: memory of the server before the first run, MiB.
    pub server_idle_rss_mb: Option<f64>,
    /// Time to parse and validate the document once.
    pub validate_s: f64,
    /// Bytes of the document.
    pub document_bytes: usize,
    /// `process` only: milliseconds per process of `xargs -P2 /bin/true` in the same invocation.
    pub xargs_ms_per_task: Option<f64>,
    /// `process` only: ours divided by theirs.
    pub xargs_ratio: Option<f64>,
}

/// Reads a clock that is good for durations.
#[expect(clippy::disallowed_methods, reason = "this is measuring code")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Times between the changes of each run.
#[derive(Debug, Default)]
pub(super) struct Hops {
    last: HashMap<RunId, Instant>,
    millis: Vec<f64>,
}

impl Hops {
    pub(super) fn note(&mut self, run: RunId, at: Instant) {
        if let Some(before) = self.last.insert(run, at) {
            self.millis.push((at - before).as_secs_f64() * 1e3);
        }
    }

    /// The given percentile, 0 to 100.
    pub(super) fn percentile(&mut self, percent: usize) -> Option<f64> {
        self.millis.sort_by(f64::total_cmp);
        let index = (self.millis.len() * percent / 100).min(self.millis.len().checked_sub(1)?);
        Some(self.millis[index])
    }
}

/// What one way of running measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub wall_s: f64,
    pub hops: Hops,
    pub io: Option<Io>,
    pub io_at_start: Option<Io>,
    pub commits: u64,
    pub peak_rss_mb: Option<f64>,
    pub server_start_ms: Option<f64>,
    pub server_idle_rss_mb: Option<f64>,
    pub spans_sent: u64,
    pub spans_dropped: u64,
}

impl Measured {
    /// The figures that follow from it.
    pub(super) fn figures(mut self, tasks: u32) -> Figures {
        let count = f64::from(tasks);
        Figures {
            tasks,
            wall_s: self.wall_s,
            tasks_per_s: count / self.wall_s,
            ms_per_task: self.wall_s * 1e3 / count,
            hop_p50_ms: self.hops.percentile(50),
            hop_p99_ms: self.hops.percentile(99),
            bytes_written_per_task: self.io.map(|io| io.written / count),
            bytes_passed_per_task: self.io.map(|io| io.passed / count),
            bytes_written_at_start: self.io_at_start.map(|io| io.written),
            commits: self.commits,
            peak_rss_mb: self.peak_rss_mb,
            server_start_ms: self.server_start_ms,
            server_idle_rss_mb: self.server_idle_rss_mb,
            ..Figures::default()
        }
    }
}

/// What the system says a process has written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Io {
    pub written: f64,
    pub passed: f64,
    pub read: f64,
}

impl Io {
    /// So far, by `process` (as in `self`).
    pub(super) fn of(process: &str) -> Option<Io> {
        let text = fs::read_to_string(format!("/proc/{process}/io")).ok()?;
        Some(Io {
            written: field(&text, "write_bytes")?,
            passed: field(&text, "wchar")?,
            read: field(&text, "rchar")?,
        })
    }

    pub(super) fn since(self, before: Io) -> Io {
        Io {
            written: self.written - before.written,
            passed: self.passed - before.passed,
            read: self.read - before.read,
        }
    }
}

/// Memory of `process`, MiB: `VmHWM` is the most it used so far, `VmRSS` what it uses.
pub(super) fn memory_mb(process: &str, name: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    Some(field(&text, name)? / 1024.0)
}

fn field(text: &str, name: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
