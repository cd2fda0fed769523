//! Telemetry of this process: what its environment says about it.

use orchestrator_engine::env_vars::{BAGGAGE, TRACEPARENT, TRACESTATE};
use orchestrator_engine::settings::Telemetry;
use orchestrator_engine::trace::{Export, Propagators, export};

/// How traces are exported, if they are. What cannot be used is told and left out: traces are no reason not to start.
pub fn export(settings: &Telemetry) -> Option<Export> {
    let mut warnings = Vec::new();
    let export = export::resolve(settings, Propagators::default(), &variable, &mut warnings);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    export
}

/// Headers that make what is started part of the trace of whoever called this process.
pub fn inherited() -> Vec<(String, String)> {
    let header = |name: &str| Some((name.to_ascii_lowercase(), variable(name)?));
    [TRACEPARENT, TRACESTATE, BAGGAGE]
        .into_iter()
        .filter_map(header)
        .collect()
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}
