//! `orchestrator bench`: how fast this machine runs workflows, with full durability.
//!
//! Every workload submits runs to an orchestrator on a fresh data directory and watches their changes as any subscriber
//! would. One JSON object per workload comes out; its fields are those of [`Figures`].
//!
//! Reading order: [`args`], `workload` (what is run), `embedded` (how), `measure` (what is measured).

pub mod args;
mod embedded;
mod measure;
mod peer;
mod workload;

pub use args::{BenchArgs, Workload};
pub use measure::Figures;

/// Runs one workload and gives its figures.
///
/// # Errors
/// When the machine or the orchestrator did not do its work; the text says what.
pub fn run(args: &BenchArgs) -> Result<Figures, String> {
    let plan = workload::plan(args)?;
    embedded::run(args, plan)
}
