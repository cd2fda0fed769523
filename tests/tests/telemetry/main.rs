//! Traces, as somebody else's receiver sees them: one per run, whole, whatever happens to the run or to the receiver.

mod broken;
mod interrupted;
mod numbers;
mod taken_back;
mod whole;
mod xray;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::binary::orchestrator;
use tests::collector::{Collector, Received, orphans};
use tests::repository::root;

/// A trace that somebody else began.
const CALLER_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
/// Its span that calls us.
const CALLER_SPAN: &str = "b7ad6b7169203331";

/// A folder with a configuration and a workflow.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(configuration: &Value, workflow: &Value) -> Place {
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        let write = |name: &str, content: &Value| {
            std::fs::write(folder.path().join(name), content.to_string()).expect("it is writable");
        };
        write("orchestrator.yaml", configuration);
        write("workflow.yaml", workflow);
        Place { folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("orchestrator.yaml")
    }

    fn workflow(&self) -> PathBuf {
        self.folder.path().join("workflow.yaml")
    }
}

/// A configuration with these agents whose traces go to `endpoint`.
fn configuration(endpoint: &str, agents: &Value) -> Value {
    json!({
        "master_orchestrator": {
            "telemetry": {"enabled": true, "service_name": "tested", "otlp_endpoint": format!("{endpoint}/v1/traces")},
            "decision": {"retry": {"max_retries": 3, "backoff_base_s": 0.2, "backoff_max_s": 0.2}},
        },
        "agents": agents,
    })
}

/// An agent that runs a script of the shell.
fn script(text: &str) -> Value {
    json!({"command": ["/bin/sh", "-c", text]})
}

/// Runs a workflow to its end with these environment variables, and gives what it printed as JSON.
fn run_workflow(workflow: &Path, data: &Path, variables: &[(&str, &str)]) -> (Value, String) {
    let mut command = orchestrator();
    command.args(["run", "--quiet", "-o", "json", "--data"]).arg(data);
    command.arg(workflow).envs(variables.iter().copied());
    let output = command.output().expect("the program starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    (
        serde_json::from_slice(&output.stdout).expect("-o json prints JSON"),
        told,
    )
}

/// Runs the penguins example with its traces sent to `collector`.
fn run_penguins(collector: &Collector, data: &Path, variables: &[(&str, &str)]) -> Value {
    let endpoint = collector.endpoint();
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .copied()
        .chain([("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())])
        .collect();
    run_workflow(&root().join("examples/penguins/workflow.yaml"), data, &variables).0
}

/// The trace of a run that ended and was opened again.
struct Whole {
    /// The span of the run.
    whole: Received,
    /// That of its second part.
    again: Received,
    /// All spans of the run, but for requests that only look.
    spans: Vec<Received>,
}

/// Waits for both parts of a run: they are one trace in which nothing is missing.
fn both_parts(collector: &Collector, run: &str) -> Whole {
    let part = |number: u32| {
        move |span: &Received| *span.attribute("run.id") == run && *span.attribute("run.part") == number
    };
    let whole = collector.await_span("the run is sent", part(0));
    let again = collector.await_span("what was done again is sent", part(1));
    // What was under way when the second part ended is sent within a second.
    let requests =
        |span: &Received| span.name.starts_with("POST /runs/{run}/") && *span.attribute("run.id") == run;
    collector.await_span("the request that opened it is sent", requests);
    let mut spans = collector.spans();
    spans.retain(|span| *span.attribute("run.id") == run && !span.name.starts_with("GET "));
    let traces: BTreeSet<&str> = spans.iter().map(|span| span.trace.as_str()).collect();
    assert_eq!(traces, BTreeSet::from([whole.trace.as_str()]));
    assert_eq!(orphans(&spans, &[]), Vec::<&Received>::new());
    assert_eq!(again.parent.as_ref(), Some(&whole.id));
    Whole { whole, again, spans }
}
