//! `bench`: see [`crate::bench`].

use crate::bench::args::Workload;
use crate::bench::{self, BenchArgs, SweepFigures};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Measures.
pub fn run(args: &BenchArgs, output: &Output) -> Result<Exit, Failure> {
    if args.workload == Workload::Sweep {
        let show = |figures: &SweepFigures| {
            let text = serde_json::to_string(figures).expect("figures are plain data with text keys");
            output.print(&format!("{text}\n"));
        };
        bench::sweep(args, show).map_err(Failure::unavailable)?;
        return Ok(Exit::Success);
    }
    let text = if args.traces {
        let figures = bench::compare_traces(args).map_err(Failure::unavailable)?;
        serde_json::to_string(&figures)
    } else {
        let figures = bench::run(args).map_err(Failure::unavailable)?;
        serde_json::to_string(&figures)
    };
    let text = text.expect("figures are plain data with text keys");
    output.print(&format!("{text}\n"));
    Ok(Exit::Success)
}
