//! `stats`: what the server has done so far.

use orchestrator_engine::api::backend::Stats;

use crate::args::Global;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::{Output, text};

/// Shows the numbers.
pub fn run(global: &Global, output: &Output) -> Result<Exit, Failure> {
    let stats: Stats = Client::connect(global)?.get("/stats")?;
    output.answer(&stats, |stats, page| {
        page.pairs(&[
            ("version", stats.version.clone()),
            ("policy", stats.policy_version.clone()),
            ("up for", text::duration(stats.uptime_seconds * 1_000)),
            ("active runs", stats.runs_active.to_string()),
            ("live attempts", stats.attempts_live.to_string()),
            ("appends", stats.appends.to_string()),
            ("events", stats.events.to_string()),
            ("commits", stats.commits.to_string()),
            ("late now", stats.sla.active.to_string()),
            (
                "attempts in time",
                format!("{} of {}", stats.sla.within, stats.sla.attempts),
            ),
            (
                "peak memory",
                stats.memory_peak_bytes.map(text::bytes).unwrap_or_default(),
            ),
        ]);
    });
    Ok(Exit::Success)
}
