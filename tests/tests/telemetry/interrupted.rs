//! A trace stays one trace through retries, kills and repetitions.

use serde_json::json;
use tests::collector::Collector;
use tests::requests::Request;
use tests::server::{Server, ask, eventually};

use crate::{Place, Whole, both_parts, configuration, script};

/// Fails the first time in a way that may pass.
const FLAKY: &str = r#"[ "$ORCHESTRATOR_ATTEMPT" = 1 ] && exit 75; exit 0"#;

/// Works until it is killed the first time, is done at once the next time.
const STUCK_ONCE: &str = r#"
if [ -e "$ORCHESTRATOR_RUN_DIR/began" ]; then exit 0; fi
touch "$ORCHESTRATOR_RUN_DIR/began"
sleep 1000
"#;

#[test]
fn a_retry_a_kill_and_a_rerun_are_all_in_the_trace_of_the_run() {
    let collector = Collector::start();
    let agents = json!({"flaky": script(FLAKY), "stuck": script(STUCK_ONCE), "nothing": {"builtin": "noop"}});
    let place = Place::new(&configuration(&collector.endpoint(), &agents), &json!({}));
    let workflow = json!({"name": "eventful", "tasks": [
        {"id": "flaky", "agent": "flaky", "action": "work"},
        {"id": "stuck", "agent": "stuck", "action": "work", "depends_on": ["flaky"]},
        {"id": "last", "agent": "nothing", "action": "work", "depends_on": ["stuck"]},
    ]});
    let mut server = Server::start(&place.data(), &place.configuration());
    let body = workflow.to_string();
    let mut request = Request::new("POST", "/workflows");
    request.body = body.as_bytes();
    request.headers = vec![
        ("content-type", "application/json"),
        ("x-correlation-id", "ticket-7"),
    ];
    let reply = request.send(&server.endpoint);
    assert_eq!(
        (reply.status, reply.header("x-correlation-id")),
        (201, Some("ticket-7"))
    );
    let run = reply.json()["id"].as_str().expect("a run has an id").to_owned();
    let status = |task: &str| ask(&place.data(), &["get", &run, task])["status"].clone();
    eventually("the task is at work", || {
        (status("stuck") == "RUNNING").then_some(())
    });
    // At this moment not everything has been sent.
    server.kill();
    let server = Server::start(&place.data(), &place.configuration());
    let run_status = || ask(&place.data(), &["get", &run])["status"].clone();
    eventually("the run ends", || (run_status() == "SUCCESS").then_some(()));
    ask(&place.data(), &["rerun", &run, "last"]);
    let Whole { whole, again, spans } = both_parts(&collector, &run);
    drop(server);

    let mut attempts: Vec<(String, i64, i64, String)> = spans
        .iter()
        .filter(|span| span.name.starts_with("attempt "))
        .map(|span| {
            let number = |name: &str| span.attribute(name).as_i64().unwrap_or(0);
            let text = |name: &str| span.attribute(name).as_str().unwrap_or_default().to_owned();
            (
                text("task.id"),
                number("task.epoch"),
                number("task.attempt"),
                text("task.status"),
            )
        })
        .collect();
    attempts.sort();
    let expected = [
        ("flaky", 1, 1, "FAILED"),
        ("flaky", 1, 2, "SUCCESS"),
        ("last", 1, 1, "SUCCESS"),
        ("last", 2, 1, "SUCCESS"),
        ("stuck", 1, 1, "FAILED"),
        ("stuck", 1, 2, "SUCCESS"),
    ];
    let expected =
        expected.map(|(task, epoch, attempt, status)| (task.to_owned(), epoch, attempt, status.to_owned()));
    assert_eq!(attempts, expected);
    let failed = |task: &str, class: &str| {
        let found = spans
            .iter()
            .find(|span| span.name == format!("attempt {task}") && *span.attribute("error.type") == class);
        found
            .and_then(|span| span.error.clone())
            .expect("a failed attempt says why")
    };
    assert!(failed("flaky", "transient").contains("75"));
    assert!(failed("stuck", "lost").contains("restarted"));
    assert!(
        spans
            .iter()
            .any(|span| span.name == "retry wait" && span.is_of("flaky"))
    );
    let second_life = spans
        .iter()
        .find(|span| span.name == "task last" && *span.attribute("task.epoch") == 2);
    assert_eq!(second_life.and_then(|span| span.parent.as_ref()), Some(&again.id));
    let rerun = spans
        .iter()
        .find(|span| span.name == "POST /runs/{run}/tasks/{task}/rerun")
        .expect("the operator's request is part of the trace");
    assert_eq!(rerun.parent.as_ref(), Some(&whole.id));
}
