//! `bench`: see [`crate::bench`].

use crate::bench::{self, BenchArgs};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Measures.
pub fn run(args: &BenchArgs, output: &Output) -> Result<Exit, Failure> {
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
