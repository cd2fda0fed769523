//! What noticing missed deadlines costs, by how much is active and by how much is overdue.
//!
//! Tasks are queued for an agent that never comes, each with a deadline for its start: `active` of them have all day, and
//! `overdue` of them, in runs of ten, miss theirs together. Measured is the time until the last breach is on the disk, and
//! what the process did meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::ids::RunId;
use orchestrator_core::policy::config::ResourceLimits;
use orchestrator_core::policy::{Policy, PolicyConfig, Surroundings};
use orchestrator_core::workflow::{Limits, Workflow, parse};
use orchestrator_embedded::{Orchestrator, StartOptions, SystemClock};
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::submit::Request;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::measure::{Io, memory_mb, now};

/// What was measured at one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepFigures {
    /// `sweep`.
    pub workload: &'static str,
    /// Tasks with a deadline that is far away.
    pub active: u32,
    /// Tasks that missed theirs.
    pub overdue: u32,
    /// Runs that these are in.
    pub overdue_runs: u32,
    /// From the first deadline until the last breach was durable, milliseconds: the time it took to submit them included.
    pub noticed_after_ms: f64,
    /// Processor time of the whole process from the first deadline until then, milliseconds; Linux only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<f64>,
    /// Appends and commits it took.
    pub appends: u64,
    /// See `appends`.
    pub commits: u64,
    /// Bytes that were read from files meanwhile, the page cache included; Linux only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_read: Option<f64>,
    /// Bytes that were written to files; Linux only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_written: Option<f64>,
    /// Resident memory of the process, MB; Linux only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_mb: Option<f64>,
    /// How long it took to make the tasks active, seconds.
    pub prepared_s: f64,
}

/// Tasks of a run that is not overdue, and of one that is.
const ACTIVE_PER_RUN: u32 = 1_000;
const OVERDUE_PER_RUN: u32 = 10;
/// Time until what is overdue is so: enough to submit it on a busy machine.
const DEADLINE: Duration = Duration::from_secs(15);
/// Runs submitted at a time.
const AT_ONCE: usize = 50;

/// Measures at one size.
pub(super) fn run(directory: &Path, active: u32, overdue: u32) -> Result<SweepFigures, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    let orchestrator = Orchestrator::start(options(directory)?).map_err(|error| error.to_string())?;
    let begin = now();
    runtime.block_on(async {
        submit(&orchestrator, active / ACTIVE_PER_RUN, ACTIVE_PER_RUN, 86_400.0).await?;
        let prepared_s = begin.elapsed().as_secs_f64();
        let mut changes = orchestrator.subscribe();
        let first = now();
        let overdue_runs = overdue.div_ceil(OVERDUE_PER_RUN);
        let runs = submit(
            &orchestrator,
            overdue_runs,
            OVERDUE_PER_RUN,
            DEADLINE.as_secs_f64(),
        )
        .await?;
        if first.elapsed() >= DEADLINE {
            return Err(
                "the overdue tasks could not be submitted before their deadline (ask for fewer)".to_owned(),
            );
        }
        tokio::time::sleep(DEADLINE.saturating_sub(first.elapsed())).await;
        let stats_before = orchestrator.stats().await.map_err(|error| error.to_string())?;
        let (cpu_before, io_before) = (cpu_ms(), Io::of("self"));
        let mut waiting: std::collections::BTreeSet<RunId> = runs.into_iter().collect();
        while !waiting.is_empty() {
            match changes.recv().await {
                // The first append queued its tasks, the second says that they are late.
                Ok(change) if change.seq >= 2 => drop(waiting.remove(&change.run)),
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => return Err(format!("{missed} changes were missed")),
                Err(RecvError::Closed) => return Err("the orchestrator stopped".to_owned()),
            }
        }
        let noticed_after = first.elapsed().saturating_sub(DEADLINE);
        let cpu_ms = cpu_ms().zip(cpu_before).map(|(after, before)| after - before);
        let io = Io::of("self")
            .zip(io_before)
            .map(|(after, before)| after.since(before));
        let stats = orchestrator.stats().await.map_err(|error| error.to_string())?;
        Ok(SweepFigures {
            workload: "sweep",
            active,
            overdue: overdue_runs * OVERDUE_PER_RUN,
            overdue_runs,
            noticed_after_ms: noticed_after.as_secs_f64() * 1_000.0,
            cpu_ms,
            appends: stats.appends - stats_before.appends,
            commits: stats.commits - stats_before.commits,
            bytes_read: io.as_ref().map(|io| io.read),
            bytes_written: io.as_ref().map(|io| io.passed),
            rss_mb: memory_mb("self", "VmRSS"),
            prepared_s,
        })
    })
}

async fn submit(
    orchestrator: &Orchestrator,
    runs: u32,
    tasks: u32,
    queue_max_seconds: f64,
) -> Result<Vec<RunId>, String> {
    let workflow = Arc::new(workflow(tasks, queue_max_seconds)?);
    let canonical: Arc<[u8]> = workflow.canonical().into();
    let nothing = Arc::new(json!({}));
    let request = |_| Request {
        run: SystemClock.new_run_id(),
        workflow: Arc::clone(&workflow),
        canonical: Arc::clone(&canonical),
        client_id: "bench".to_owned(),
        inputs: Arc::clone(&nothing),
        metadata: Arc::clone(&nothing),
        priority: None,
        trace: Default::default(),
        needs_admission: false,
        is_fresh: false,
    };
    let requests: Vec<Request> = (0..runs).map(request).collect();
    let ids = requests.iter().map(|request| request.run).collect();
    for chunk in requests.chunks(AT_ONCE) {
        let submissions = chunk.iter().map(|request| orchestrator.submit(request.clone()));
        let submitted = futures_util::future::try_join_all(submissions).await;
        submitted.map_err(|error| error.to_string())?;
    }
    Ok(ids)
}

fn workflow(tasks: u32, queue_max_seconds: f64) -> Result<Workflow, String> {
    let task = |index| json!({"id": format!("t{index}"), "agent": "noop", "action": "wait"});
    let document = json!({
        "name": "sweep",
        "sla": {"queue_max_seconds": queue_max_seconds, "warn_percent": 100},
        "tasks": (0..tasks).map(task).collect::<Vec<Value>>(),
    });
    let limits = Limits::local_file().with_task_count(usize::MAX);
    let parsed = parse(document.to_string().as_bytes(), &limits).workflow;
    parsed.map_err(|problems| format!("the bench's own document has {} problems", problems.len()))
}

/// Attempts are queued, and nobody starts them.
fn options(directory: &Path) -> Result<StartOptions, String> {
    let config = PolicyConfig {
        max_task_count: Some(u32::MAX),
        resource_limits: Some(ResourceLimits {
            max_concurrent_cpu_tasks: Some(u32::MAX),
            ..ResourceLimits::default()
        }),
        ..PolicyConfig::default()
    };
    let policy = Policy::new(&config, Surroundings::default()).map_err(|error| error.to_string())?;
    let mut options = StartOptions::new(directory.join("data"), Arc::new(policy));
    options.dispatches = false;
    Ok(options)
}

/// Processor time of all threads of this process.
fn cpu_ms() -> Option<f64> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let nanos = threads.filter_map(|thread| {
        let schedule = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        schedule.split_whitespace().next()?.parse::<u64>().ok()
    });
    Some(nanos.sum::<u64>() as f64 / 1e6)
}
