//! Runs a workload in this process.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use futures_util::future::try_join_all;
use orchestrator_core::ids::RunId;
use orchestrator_core::policy::config::ResourceLimits;
use orchestrator_core::policy::{Policy, PolicyConfig, Surroundings};
use orchestrator_core::run::RunStatus;
use orchestrator_core::workflow::Workflow;
use orchestrator_embedded::{Change, Exporter, Orchestrator, StartOptions, SystemClock};
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::settings::{Agent, AgentKind};
use orchestrator_engine::submit::Request;
use orchestrator_engine::trace::Export;
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::measure::{Hops, Io, Measured, memory_mb, now};
use super::workload::Plan;

/// How often a workload is run by one orchestrator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passes {
    /// Before it is measured: then threads are at work and have the memory that they must first ask the system for.
    pub unmeasured: u32,
    /// One after the other, measured together.
    pub measured: u32,
}

impl Passes {
    /// Once, in a process that has just begun.
    pub(super) const FIRST: Passes = Passes {
        unmeasured: 0,
        measured: 1,
    };
    /// Once, and once before.
    pub(super) const SECOND: Passes = Passes {
        unmeasured: 1,
        measured: 1,
    };
}

pub(super) fn run(
    directory: &Path,
    plan: &Plan,
    workflow: Arc<Workflow>,
    export: Option<Export>,
    passes: Passes,
) -> Result<Measured, String> {
    let text = |error: &dyn Display| error.to_string();
    let io_before = Io::of("self");
    let options = StartOptions {
        export,
        ..options(&directory.join("data"), plan)?
    };
    let orchestrator = Orchestrator::start(options).map_err(|error| text(&error))?;
    for _ in 0..passes.unmeasured {
        drive(&orchestrator, &workflow, plan)?;
    }
    let io_started = Io::of("self");
    let since = |after: Option<Io>, before: Option<Io>| Some(after?.since(before?));
    let (mut wall_s, mut hops) = drive(&orchestrator, &workflow, plan)?;
    for _ in 1..passes.measured {
        let (again_s, again) = drive(&orchestrator, &workflow, plan)?;
        (wall_s, hops) = (wall_s + again_s, again);
    }
    let stats = block_on(orchestrator.stats()).map_err(|error| text(&error))?;
    orchestrator.stop();
    let exported = orchestrator
        .exporter()
        .map(Exporter::exported)
        .unwrap_or_default();
    Ok(Measured {
        spans_sent: exported.sent,
        spans_dropped: exported.dropped,
        wall_s,
        hops,
        io: since(Io::of("self"), io_started),
        io_at_start: since(io_started, io_before),
        commits: stats.commits,
        peak_rss_mb: memory_mb("self", "VmHWM"),
        ..Measured::default()
    })
}

/// Submits every run at once and waits until all have ended.
fn drive(orchestrator: &Orchestrator, workflow: &Arc<Workflow>, plan: &Plan) -> Result<(f64, Hops), String> {
    let canonical: Arc<[u8]> = workflow.canonical().into();
    let changes = orchestrator.subscribe();
    let runs = plan.runs;
    let watcher = thread::spawn(move || watch(changes, runs));
    let nothing = Arc::new(json!({}));
    let request = |_| Request {
        run: SystemClock.new_run_id(),
        workflow: Arc::clone(workflow),
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
    let command = Agent::new(AgentKind::Command(vec!["/bin/true".to_owned()]));
    options.agents.insert("process".to_owned(), command);
    Ok(options)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .expect("a runtime without drivers needs nothing")
        .block_on(future)
}
