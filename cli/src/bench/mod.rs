//! `orchestrator bench`: how fast this machine runs workflows, with full durability.
//!
//! A workload's runs are submitted to an orchestrator on a fresh data directory: within this process, or, with `--over http`,
//! to a server that is started for it. One JSON object per workload comes out; its fields are those of [`Figures`].
//!
//! Reading order: [`args`], `workload` (what is run), `embedded` and `server` (how), `measure` (what is measured).

pub mod args;
mod embedded;
mod measure;
mod peer;
mod server;
mod sweep;
mod traces;
mod workload;

pub use args::BenchArgs;
pub use measure::Figures;
pub use sweep::SweepFigures;
pub use traces::TraceFigures;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use orchestrator_core::workflow::{Limits, parse};
use orchestrator_embedded::SystemClock;
use orchestrator_engine::ports::Clock as _;

use args::{AgentChoice, Over};
use embedded::Passes;
use measure::now;

/// Runs one workload and gives its figures.
///
/// # Errors
/// When the machine or the orchestrator did not do its work; the text says what.
pub fn run(args: &BenchArgs) -> Result<Figures, String> {
    if (args.over, args.agent) == (Over::Process, AgentChoice::Http) {
        return Err("--agent http needs --over http".to_owned());
    }
    let plan = workload::plan(args)?;
    let temporary = Temporary::new(args.dir.as_deref())?;
    let begin = now();
    let parsed = parse(
        plan.document.as_bytes(),
        &Limits::local_file().with_task_count(usize::MAX),
    );
    let validate_s = begin.elapsed().as_secs_f64();
    let problems = |count: usize| format!("the bench's own document has {count} problems");
    let workflow = parsed.workflow.map_err(|found| problems(found.len()))?;
    let peer = || {
        plan.is_process()
            .then(|| peer::xargs_ms_per_process(plan.tasks))
            .flatten()
    };
    let peer_before = peer();
    let measured = match args.over {
        Over::Process => embedded::run(&temporary.0, &plan, Arc::new(workflow), None, Passes::FIRST)?,
        Over::Http => server::run(&temporary.0, &plan, args.agent)?,
    };
    let theirs = peer_before
        .zip(peer())
        .map(|(before, after)| f64::midpoint(before, after));
    let mut figures = measured.figures(plan.tasks * plan.runs);
    figures.workload = plan.name.to_owned();
    figures.over = name(args.over);
    figures.agent = name(args.agent);
    figures.runs = plan.runs;
    figures.validate_s = validate_s;
    figures.document_bytes = plan.document.len();
    figures.xargs_ms_per_task = theirs;
    figures.xargs_ratio = theirs.map(|theirs| figures.ms_per_task / theirs);
    Ok(figures)
}

/// Runs one workload without traces, with them, and with nobody listening.
///
/// # Errors
/// When the machine or the orchestrator did not do its work; the text says what.
pub fn compare_traces(args: &BenchArgs) -> Result<TraceFigures, String> {
    if (args.over, args.agent) != (Over::Process, AgentChoice::Builtin) {
        return Err("--traces measures within this process (leave out --over and --agent)".to_owned());
    }
    let plan = workload::plan(args)?;
    let temporary = Temporary::new(args.dir.as_deref())?;
    let limits = Limits::local_file().with_task_count(usize::MAX);
    let parsed = parse(plan.document.as_bytes(), &limits).workflow;
    let workflow =
        parsed.map_err(|found| format!("the bench's own document has {} problems", found.len()))?;
    traces::compare(&temporary.0, &plan, &Arc::new(workflow))
}

/// Measures missed deadlines at 10 000 active tasks, ten times as many, and so on up to what was asked for.
///
/// # Errors
/// When the orchestrator did not do its work; the text says what.
pub fn sweep(args: &BenchArgs, mut show: impl FnMut(&SweepFigures)) -> Result<(), String> {
    const FIRST: u32 = 10_000;
    let mut sizes: Vec<u32> = std::iter::successors(Some(FIRST), |size| size.checked_mul(10))
        .take_while(|size| *size < args.active)
        .collect();
    sizes.push(args.active);
    for active in sizes {
        let temporary = Temporary::new(args.dir.as_deref())?;
        show(&sweep::run(&temporary.0, active, args.overdue)?);
    }
    Ok(())
}

/// The name of a choice on the command line.
fn name(choice: impl ValueEnum) -> String {
    let value = choice.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
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
