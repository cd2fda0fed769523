//! What a function tells CloudWatch about itself: lines of its log in the embedded metric format, which become metrics.

use std::io::Write;

use orchestrator_aws::clock::SystemClock;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::metrics::Snapshot;
use orchestrator_engine::ports::Clock;
use serde_json::{Value, json};

use crate::emf;

/// Name of the stack, the dimension of its metrics. Without it, none are written.
pub const STACK: &str = "ORCHESTRATOR_STACK";

/// The namespace of all metrics.
pub(crate) const NAMESPACE: &str = "MasterOrchestrator";
/// How late the sweep looked at the run that was most overdue.
const SWEEP_LAG: &str = "SweepLagSeconds";

/// Writes metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    stack: Option<String>,
}

impl Metrics {
    /// Reads the environment of this process.
    pub fn from_env() -> Metrics {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is where the functions read the name of their stack"
        )]
        let stack = std::env::var(STACK).ok().filter(|name| !name.is_empty());
        Metrics { stack }
    }

    /// Says how late a sweep was. The alarm takes silence for a sweep that has stopped.
    pub fn sweep_lag(&self, lag_ms: u64) {
        if let Some(line) = self.line(SWEEP_LAG, "Seconds", lag_ms as f64 / 1e3, SystemClock.now()) {
            // A log that cannot be written to is nobody's business here.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }

    /// Says what has been counted since the last time.
    pub fn counted(&self, function: &str, counted: &Snapshot) {
        let Some(stack) = self.stack.as_deref() else {
            return;
        };
        if let Some(line) = emf::line(stack, function, counted, SystemClock.now()) {
            // The same.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }

    fn line(&self, name: &str, unit: &str, value: f64, at: Timestamp) -> Option<Value> {
        let stack = self.stack.as_deref()?;
        let metric = json!({"Namespace": NAMESPACE, "Dimensions": [["Stack"]], "Metrics": [{"Name": name, "Unit": unit}]});
        let mut line = json!({"_aws": {"Timestamp": at.0, "CloudWatchMetrics": [metric]}, "Stack": stack});
        line[name] = json!(value);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_a_line_that_cloudwatch_reads_and_nothing_without_a_stack() {
        let metrics = Metrics {
            stack: Some("orchestrator-dev".to_owned()),
        };
        let line = metrics.line(SWEEP_LAG, "Seconds", 1.5, Timestamp(1_700_000_000_000));
        let metric = json!({"Namespace": "MasterOrchestrator", "Dimensions": [["Stack"]], "Metrics": [{"Name": "SweepLagSeconds", "Unit": "Seconds"}]});
        let expected = json!({
            "_aws": {"Timestamp": 1_700_000_000_000_i64, "CloudWatchMetrics": [metric]},
            "Stack": "orchestrator-dev",
            "SweepLagSeconds": 1.5,
        });
        assert_eq!(line, Some(expected));
        assert_eq!(
            Metrics::default().line(SWEEP_LAG, "Seconds", 1.5, Timestamp(0)),
            None
        );
    }

    #[test]
    fn the_alarm_and_the_dashboard_ask_for_what_is_written() {
        let template = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/monitoring.yaml");
        let template = std::fs::read_to_string(template).expect("the template");
        let alarm = format!(
            "      Namespace: {NAMESPACE}\n      MetricName: {SWEEP_LAG}\n      Dimensions: [{{Name: Stack, "
        );
        assert!(template.contains(&alarm), "{alarm}");
        assert!(template.contains(&format!("[\"{NAMESPACE}\", \"{SWEEP_LAG}\", \"Stack\", ")));
        for function in ["intake", "decision", "task_events", "rollback"] {
            let missed = format!(
                "{{Namespace: {NAMESPACE}, MetricName: AlertsSlaBreached, Dimensions: [{{Name: Stack, Value: !Ref Prefix}}, {{Name: Function, Value: {function}}}]}}"
            );
            assert!(template.contains(&missed), "{missed}");
        }
    }
}
