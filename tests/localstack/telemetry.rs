//! Traces of the functions, as somebody else's receiver sees them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use tests::collector::{Collector, Received, orphans};
use tests::requests::Request;

use crate::agents::{Agents, command};
use crate::deployment::{Deployment, Wanted, eventually};

/// A trace that somebody else began, and its span that calls us.
const CALLER: (&str, &str) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");

fn example(name: &str) -> PathBuf {
    emulator::place::root().join("examples").join(name)
}

fn with_attribute<'a>(spans: &'a [Received], name: &str, value: &Value) -> Vec<&'a Received> {
    spans
        .iter()
        .filter(|span| span.attribute(name) == value)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_through_all_functions_is_one_trace() {
    const AGENTS: [&str; 2] = ["data_agent", "report_agent"];
    let collector = Collector::start();
    let folder = example("failures");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the repository");
    let deployment = Deployment::new(Wanted {
        agents: &AGENTS,
        configuration: &text("orchestrator.yaml"),
        environment: vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())],
        ..Wanted::default()
    })
    .await;
    let files = tempfile::tempdir().expect("a folder");
    let mut agents = Agents::default();
    for agent in AGENTS {
        let (folder, files) = (folder.clone(), files.path().to_owned());
        agents.hire(&deployment, agent, 1, move |envelope| {
            command("agents/nightly.py", &folder, &files, envelope)
        });
    }
    let body = serde_json::json!({"dsl": text("workflow.yaml")}).to_string();
    let caller = format!("00-{}-{}-01", CALLER.0, CALLER.1);
    let mut request = Request::new("POST", "/workflows").json(&body);
    request.headers.push(("traceparent", &caller));
    let reply = deployment.ask(&request).await;
    assert_eq!(reply.status, 201, "{}", reply.json());
    let run = reply.json()["id"].as_str().expect("a run has an id").to_owned();
    let view = deployment.ended(&run).await;
    assert_eq!(view["status"], "SUCCESS", "{view}");
    // Every function sends before it answers, so the last ones may still be at it.
    let (whole, of_trace, spans) =
        eventually("the run is sent, and no span without its parent", async || {
            let spans = collector.spans();
            let is_work = |span: &&Received| span.trace == CALLER.0;
            let of_trace: Vec<Received> = spans.iter().filter(is_work).cloned().collect();
            let whole = of_trace
                .iter()
                .find(|span| span.name == "run failures")
                .cloned()?;
            orphans(&of_trace, &[CALLER.1])
                .is_empty()
                .then_some((whole, of_trace, spans))
        })
        .await;
    let of_run: Vec<&Received> = with_attribute(&spans, "run.id", &Value::from(run.as_str()));
    let strays: Vec<&&Received> = of_run
        .iter()
        .filter(|span| span.trace != CALLER.0 && !span.name.starts_with("GET "))
        .collect();
    assert!(strays.is_empty(), "{strays:#?}");
    assert_eq!(whole.trace, CALLER.0);

    // Caller, invocation, request, run.
    let by_id = |id: &Option<String>| of_trace.iter().find(|span| Some(&span.id) == id.as_ref());
    let request = by_id(&whole.parent).expect("the request");
    assert_eq!(request.name, "POST /workflows");
    let intake = by_id(&request.parent).expect("the invocation");
    assert_eq!(
        (intake.name.as_str(), intake.parent.as_deref()),
        ("intake", Some(CALLER.1))
    );
    for (name, value) in [("faas.trigger", "http"), ("faas.name", "intake")] {
        assert_eq!(intake.attribute(name), value);
    }
    assert!(intake.attribute("faas.invocation_id").is_string());

    // Each attempt once, below its task, with the way it took.
    let attempts = of_trace.iter().filter(|span| span.name.starts_with("attempt "));
    let mut seen: Vec<(&str, i64)> = attempts
        .map(|span| {
            let task = span.attribute("task.id").as_str().unwrap_or_default();
            assert!(
                by_id(&span.parent).is_some_and(|parent| parent.name == format!("task {task}")),
                "{span:#?}"
            );
            (task, span.attribute("task.attempt").as_i64().unwrap_or(0))
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            ("fetch", 1),
            ("fetch", 2),
            ("fetch", 3),
            ("publish", 1),
            ("summary", 1)
        ]
    );
    for dispatch in of_trace.iter().filter(|span| span.name == "dispatch") {
        assert_eq!(dispatch.attribute("messaging.system"), "aws_sqs");
        let queue = dispatch.attribute("messaging.destination.name");
        assert!(
            queue.as_str().is_some_and(|queue| queue.starts_with("tasks-")),
            "{queue}"
        );
        assert!(by_id(&dispatch.parent).is_some_and(|parent| parent.name.starts_with("attempt ")));
    }

    // Messages: taken in the trace of their run, linked to the invocation that took them for any number of runs.
    let hops: Vec<&Received> = of_trace
        .iter()
        .filter(|span| span.name.starts_with("process "))
        .collect();
    let invocations: BTreeSet<&str> = spans
        .iter()
        .filter(|span| *span.attribute("faas.trigger") == "pubsub")
        .map(|span| span.id.as_str())
        .collect();
    assert!(!hops.is_empty());
    for hop in &hops {
        assert_eq!(hop.kind, 5, "CONSUMER");
        assert_eq!(hop.attribute("messaging.system"), "aws_sqs");
        assert_eq!(hop.attribute("messaging.operation.type"), "process");
        assert!(hop.attribute("messaging.destination.name").is_string());
        assert!(
            hop.links.iter().any(|link| invocations.contains(link.as_str())),
            "{hop:#?}"
        );
    }
    // A message leads back to the turn that sent it, and a turn to the messages it is for.
    let turns = |name: &str| {
        of_trace
            .iter()
            .filter(|span| span.name == name)
            .collect::<Vec<_>>()
    };
    let decisions = turns("decision");
    let decided: Vec<&&Received> = decisions
        .iter()
        .filter(|span| !span.attribute("journal.seq").is_null())
        .collect();
    assert!(!decided.is_empty());
    assert!(
        decided
            .iter()
            .all(|turn| by_id(&turn.parent).is_some_and(|hop| hop.name.starts_with("process ")))
    );
    assert!(
        hops.iter()
            .any(|hop| by_id(&hop.parent).is_some_and(|sender| !sender.attribute("journal.seq").is_null())),
        "{hops:#?}"
    );
}
