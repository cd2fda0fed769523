//! What a trace consists of.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::binary::orchestrator;
use tests::collector::{Collector, Received, orphans};
use tests::repository::root;

use crate::{CALLER_SPAN, CALLER_TRACE, Place, configuration, run_penguins, run_workflow, script};

/// The only span with this name that is about this task.
fn the<'a>(spans: &'a [Received], name: &str, task: &str) -> &'a Received {
    let found: Vec<&Received> = spans
        .iter()
        .filter(|span| span.name == name && span.is_of(task))
        .collect();
    assert_eq!(found.len(), 1, "{name} of {task}: {found:#?}");
    found[0]
}

#[test]
fn the_penguins_are_one_trace_from_the_caller_to_every_attempt() {
    let collector = Collector::start();
    let folder = tempfile::tempdir().expect("there is room");
    let caller = format!("00-{CALLER_TRACE}-{CALLER_SPAN}-01");
    let run = run_penguins(
        &collector,
        folder.path(),
        &[
            ("TRACEPARENT", &caller),
            ("OTEL_SERVICE_NAME", "penguins"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test"),
        ],
    );
    let spans = collector.spans();
    let of_run: Vec<&Received> = spans
        .iter()
        .filter(|span| *span.attribute("run.id") == run["id"])
        .collect();
    // Reading the run is a trace of its own each time; everything else is the caller's trace.
    let readers = |span: &&Received| span.name.starts_with("GET ");
    assert!(of_run.iter().any(readers));
    let of_run: Vec<Received> = of_run
        .into_iter()
        .filter(|span| !readers(span))
        .cloned()
        .collect();
    let traces: BTreeSet<&str> = of_run.iter().map(|span| span.trace.as_str()).collect();
    assert_eq!(traces, BTreeSet::from([CALLER_TRACE]));
    assert_eq!(orphans(&of_run, &[CALLER_SPAN]), Vec::<&Received>::new());
    assert!(of_run.iter().all(|span| span.service == "penguins"));

    let request = of_run
        .iter()
        .find(|span| span.name == "POST /workflows")
        .expect("it was asked for");
    assert_eq!(request.parent.as_deref(), Some(CALLER_SPAN));
    assert_eq!(request.kind, 2, "SERVER");
    for (name, value) in [
        ("http.request.method", json!("POST")),
        ("http.route", json!("/workflows")),
        ("http.response.status_code", json!(201)),
    ] {
        assert_eq!(request.attribute(name), &value);
    }
    let whole = of_run
        .iter()
        .find(|span| span.name == "run penguins")
        .expect("it ran");
    assert_eq!(whole.parent.as_ref(), Some(&request.id));
    assert_eq!(whole.attribute("run.status"), "SUCCESS");
    let tasks = run["tasks"].as_array().expect("it has tasks");
    assert!(tasks.len() >= 9);
    for task in tasks {
        let id = task["id"].as_str().expect("a task has an id");
        let span = the(&of_run, &format!("task {id}"), id);
        assert_eq!(span.parent.as_ref(), Some(&whole.id), "{id}");
        let attempt = the(&of_run, &format!("attempt {id}"), id);
        assert_eq!(attempt.parent.as_ref(), Some(&span.id), "{id}");
        assert_eq!(attempt.attribute("run.request_type"), "DSL", "{id}");
        assert!(whole.start <= span.start && span.start <= attempt.start && attempt.end == span.end);
        for name in [
            "run.workflow",
            "task.attempt",
            "task.epoch",
            "task.agent",
            "task.action",
            "decision.outcome",
            "decision.resource_class",
            "decision.priority",
            "decision.matched_rules",
            "decision.policy_version",
            "decision.reason",
        ] {
            assert!(!attempt.attribute(name).is_null(), "{id} lacks {name}");
        }
        // Whatever a task depends on is linked: that is where it fans in.
        let upstream = task["depends_on"].as_array().cloned().unwrap_or_default();
        let linked: BTreeSet<&String> = span.links.iter().collect();
        let expected: Vec<String> = upstream
            .iter()
            .filter_map(Value::as_str)
            .map(|id| the(&of_run, &format!("task {id}"), id).id.clone())
            .collect();
        assert_eq!(linked, expected.iter().collect(), "{id}");
    }
    // Two of the three models train at a time; the third waits for a slot.
    let held: Vec<&Received> = of_run.iter().filter(|span| span.name == "held: pool").collect();
    assert_eq!(held.len(), 1, "{held:#?}");
    assert!(
        held[0]
            .attribute("task.id")
            .as_str()
            .is_some_and(|task| task.starts_with("train_"))
    );
}

#[test]
fn a_run_from_a_sentence_says_so() {
    let collector = Collector::start();
    let folder = tempfile::tempdir().expect("there is room");
    let mut command = orchestrator();
    command.args([
        "ask",
        "--yes",
        "-o",
        "json",
        "load data/penguins.csv, clean it and profile it",
    ]);
    command.arg("--data").arg(folder.path());
    command
        .arg("--config")
        .arg(root().join("examples/penguins/orchestrator.yaml"));
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let spans = collector.spans();
    let of_run: Vec<&Received> = spans
        .iter()
        .filter(|span| span.name.starts_with("run ") || span.name.starts_with("attempt "))
        .collect();
    assert!(of_run.len() >= 3, "{spans:#?}");
    for span in of_run {
        assert_eq!(span.attribute("run.request_type"), "NL", "{span:?}");
    }
}

/// Says which trace context it got.
const TELL: &str = r#"printf '{"parent": "%s", "state": "%s", "baggage": "%s"}' "$TRACEPARENT" "$TRACESTATE" "$BAGGAGE" > "$ORCHESTRATOR_OUTPUT""#;

#[test]
fn an_agent_gets_its_attempt_as_parent_and_what_the_caller_sent_along() {
    let collector = Collector::start();
    let agents = json!({"teller": script(TELL)});
    let workflow = json!({"name": "telling", "tasks": [
        {"id": "items", "agent": "teller", "action": "tell", "for_each": [1, 2, 3]},
        {"id": "never", "agent": "teller", "action": "tell", "when": "false"},
    ]});
    let place = Place::new(&configuration(&collector.endpoint(), &agents), &workflow);
    let caller = format!("00-{CALLER_TRACE}-{CALLER_SPAN}-01");
    let (run, _) = run_workflow(
        &place.workflow(),
        &place.data(),
        &[
            ("TRACEPARENT", &caller),
            ("TRACESTATE", "vendor=1"),
            ("BAGGAGE", "team=vision"),
        ],
    );
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.service == "tested"));
    let items = run["tasks"][0]["output"].as_array().expect("a list of outputs");
    assert_eq!(items.len(), 3);
    let group = the(&spans, "task items", "items");
    for (index, told) in items.iter().enumerate() {
        let id = format!("items[{index}]");
        let attempt = the(&spans, "attempt items", &id);
        let parent = format!("00-{CALLER_TRACE}-{}-01", attempt.id);
        assert_eq!(
            told,
            &json!({"parent": parent, "state": "vendor=1", "baggage": "team=vision"})
        );
        assert_eq!(the(&spans, "task items", &id).parent.as_ref(), Some(&group.id));
    }
    assert_eq!(
        the(&spans, "task never", "never").attribute("task.status"),
        "SKIPPED"
    );
}

#[test]
fn traces_that_are_not_sampled_are_not_sent_and_agents_know_it() {
    let collector = Collector::start();
    let workflow = json!({"name": "telling", "tasks": [{"id": "tell", "agent": "teller", "action": "tell"}]});
    let agents = json!({"teller": script(TELL)});
    let place = Place::new(&configuration(&collector.endpoint(), &agents), &workflow);
    let told = |variables: &[(&str, &str)]| {
        let (run, _) = run_workflow(&place.workflow(), &place.data(), variables);
        run["tasks"][0]["output"]["parent"]
            .as_str()
            .expect("it is a text")
            .to_owned()
    };
    let not_by_us = told(&[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]);
    assert!(not_by_us.ends_with("-00"), "{not_by_us}");
    let caller = format!("00-{CALLER_TRACE}-{CALLER_SPAN}-00");
    let not_by_the_caller = told(&[("TRACEPARENT", &caller)]);
    assert!(
        not_by_the_caller.contains(CALLER_TRACE) && not_by_the_caller.ends_with("-00"),
        "{not_by_the_caller}"
    );
    // Without traces the caller's context is handed on as it is: there is no span of ours in between.
    let sampled = format!("00-{CALLER_TRACE}-{CALLER_SPAN}-01");
    assert_eq!(
        told(&[("TRACEPARENT", &sampled), ("OTEL_SDK_DISABLED", "true")]),
        sampled
    );
    let sent = collector.spans();
    // What only reads is decided for itself.
    assert!(sent.iter().all(|span| span.name.starts_with("GET ")), "{sent:#?}");
}
