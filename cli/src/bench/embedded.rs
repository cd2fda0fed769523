//! Runs a workload in this process.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use futures_util::future::try_join_all;
use orchestrator_core::ids::RunId;
use orchestrator_core::policy::config::ResourceLimits;
use orchestrator_core::policy::{Policy, PolicyConfig, Surroundings};
use orchestrator_core::run::RunStatus;
use orchestrator_core::workflow::{Limits, Workflow, parse};
use orchestrator_embedded::agents::{AgentConfig, AgentKind};
use orchestrator_embedded::{Change, Orchestrator, StartOptions, SystemClock};
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::submit::Request;
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::args::BenchArgs;
use super::measure::{Figures, Hops, Io, now, peak_rss_mb};
use super::peer;
use super::workload::Plan;

pub(super) fn run(args: &BenchArgs, plan: Plan) -> Result<Figures, String> {
    let temporary = Temporary::new(args.dir.as_deref())?;
    let begin = now();
    let parsed = parse(plan.document.as_bytes(), &limits());
    let validate_s = begin.elapsed().as_secs_f64();
    let workflow = parsed
        .workflow
        .map_err(|problems| format!("the bench's own document has {} problems", problems.len()))?;
    let io_before = Io::now();
    let peer_before = is_process(&plan)
        .then(|| peer::xargs_ms_per_process(plan.tasks))
        .flatten();
    let orchestrator =
        Orchestrator::start(options(&temporary.0, &plan)?).map_err(|error| error.to_string())?;
    let (wall_s, mut hops) = drive(&orchestrator, Arc::new(workflow), &plan)?;
    let commits = block_on(orchestrator.stats())
        .map_err(|error| error.to_string())?
        .commits;
    orchestrator.stop();
    let peer_after = is_process(&plan)
        .then(|| peer::xargs_ms_per_process(plan.tasks))
        .flatten();
    let tasks = plan.tasks * plan.runs;
    let per_task = |select: fn(Io) -> f64| {
        let written = select(Io::now()?) - select(io_before?);
        Some(written / f64::from(tasks))
    };
    let ms_per_task = wall_s * 1e3 / f64::from(tasks);
    let xargs_ms_per_task = peer_before
        .zip(peer_after)
        .map(|(before, after)| f64::midpoint(before, after));
    Ok(Figures {
        workload: plan.name.to_owned(),
        runs: plan.runs,
        tasks,
        wall_s,
        tasks_per_s: f64::from(tasks) / wall_s,
        ms_per_task,
        hop_p50_ms: hops.percentile(50),
        hop_p99_ms: hops.percentile(99),
        bytes_written_per_task: per_task(|io| io.written),
        bytes_passed_per_task: per_task(|io| io.passed),
        commits,
        peak_rss_mb: peak_rss_mb(),
        validate_s,
        document_bytes: plan.document.len(),
        xargs_ms_per_task,
        xargs_ratio: xargs_ms_per_task.map(|theirs| ms_per_task / theirs),
    })
}

fn is_process(plan: &Plan) -> bool {
    plan.name == "process"
}

/// Submits every run at once and waits until all have ended.
fn drive(orchestrator: &Orchestrator, workflow: Arc<Workflow>, plan: &Plan) -> Result<(f64, Hops), String> {
    let canonical: Arc<[u8]> = workflow.canonical().into();
    let changes = orchestrator.subscribe();
    let runs = plan.runs;
    let watcher = thread::spawn(move || watch(changes, runs));
    let nothing = Arc::new(json!({}));
    let request = |_| Request {
        run: SystemClock.new_run_id(),
        workflow: Arc::clone(&workflow),
        canonical: Arc::clone(&canonical),
        client_id: "bench".to_owned(),
        inputs: Arc::clone(&nothing),
        metadata: Arc::clone(&nothing),
        priority: None,
        traceparent: None,
        needs_admission: false,
    };
    let requests: Vec<Request> = (0..runs).map(request).collect();
    let begin = now();
    let submissions = requests.into_iter().map(|request| orchestrator.submit(request));
    block_on(try_join_all(submissions)).map_err(|error| error.to_string())?;
    let hops = watcher.join().map_err(|_| "the watcher panicked".to_owned())??;
    Ok((begin.elapsed().as_secs_f64(), hops))
}

fn watch(mut changes: Receiver<Change>, runs: u32) -> Result<Hops, String> {
    let mut hops = Hops::default();
    let mut ended = BTreeMap::<RunId, RunStatus>::new();
    while ended.len() < runs as usize {
        match changes.blocking_recv() {
            Ok(change) => {
                hops.note(change.run, now());
                if change.has_ended {
                    ended.insert(change.run, change.status);
                }
            }
            Err(RecvError::Lagged(missed)) => return Err(format!("the watcher missed {missed} changes")),
            Err(RecvError::Closed) => return Err("the orchestrator stopped".to_owned()),
        }
    }
    match ended.iter().find(|(_, status)| **status != RunStatus::Success) {
        Some((run, status)) => Err(format!("run {run} ended as {status}")),
        None => Ok(hops),
    }
}

fn options(data_dir: &Path, plan: &Plan) -> Result<StartOptions, String> {
    let config = PolicyConfig {
        max_task_count: Some(u32::MAX),
        resource_limits: Some(ResourceLimits {
            max_concurrent_cpu_tasks: Some(plan.parallel),
            ..ResourceLimits::default()
        }),
        ..PolicyConfig::default()
    };
    let policy = Policy::new(&config, Surroundings::default()).map_err(|error| error.to_string())?;
    let mut options = StartOptions::new(data_dir, Arc::new(policy));
    let command = AgentConfig {
        kind: AgentKind::Command(vec!["/bin/true".to_owned()]),
        env: BTreeMap::new(),
    };
    options.agents.insert("process".to_owned(), command);
    Ok(options)
}

fn limits() -> Limits {
    Limits::local_file().with_task_count(usize::MAX)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .expect("a runtime without drivers needs nothing")
        .block_on(future)
}

/// A directory that is removed again.
struct Temporary(PathBuf);

impl Temporary {
    fn new(parent: Option<&Path>) -> Result<Temporary, String> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let path = parent.join(format!("orchestrator-bench-{}", SystemClock.new_run_id()));
        fs::create_dir_all(&path).map_err(|error| format!("cannot create '{}': {error}", path.display()))?;
        Ok(Temporary(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed is in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
