//! Rollbacks and deadlines in traces.

use serde_json::json;
use tests::collector::{Collector, Received};
use tests::requests::Request;
use tests::server::{Server, ask, eventually};

use crate::{Place, Whole, both_parts, configuration, script};

#[test]
fn a_late_task_and_a_rollback_are_in_the_trace_of_the_run() {
    let collector = Collector::start();
    let agents = json!({"slow": script("sleep 1"), "nothing": {"builtin": "noop"}});
    let place = Place::new(&configuration(&collector.endpoint(), &agents), &json!({}));
    let workflow = json!({"name": "taken-back", "tasks": [
        {"id": "late", "agent": "slow", "action": "work", "sla": {"task_max_seconds": 0.3, "warn_percent": 100}},
        {"id": "last", "agent": "nothing", "action": "work", "depends_on": ["late"],
         "compensate": {"agent": "nothing", "action": "undo"}},
    ]});
    let server = Server::start(&place.data(), &place.configuration());
    let run = server.submit(&workflow);
    let run_status = || ask(&place.data(), &["get", &run])["status"].clone();
    eventually("the run ends", || (run_status() == "SUCCESS").then_some(()));
    let events = format!("/runs/{run}/events");
    let stream = Request::new("GET", &events).header("accept", "text/event-stream");
    assert_eq!(stream.send(&server.endpoint).status, 200);
    let opened = collector.await_span("the stream is a request too", |span| {
        span.name == "GET /runs/{run}/events"
    });
    assert_eq!(opened.attribute("http.response.status_code"), 200);
    let path = format!("/runs/{run}/rollback");
    let asked = json!({"steps": 1, "reason": "the trace wants to see it"}).to_string();
    let reply = Request::new("POST", &path).json(&asked).send(&server.endpoint);
    assert_eq!(reply.status, 200, "{}", reply.json());
    let Whole { whole, spans, .. } = both_parts(&collector, &run);
    drop(server);
    let rollback = spans.iter().find(|span| span.name == "POST /runs/{run}/rollback");
    let rollback = rollback.expect("the request is part of the trace");
    assert_eq!(rollback.parent.as_ref(), Some(&whole.id));

    let attempts = |task: &str| -> Vec<&Received> {
        let name = format!("attempt {task}");
        let mut attempts: Vec<&Received> = spans.iter().filter(|span| span.name == name).collect();
        attempts.sort_by_key(|span| span.start);
        attempts
    };
    assert_eq!(attempts("late").len(), 1, "it was not taken back");
    let [first, second] = attempts("last")[..] else {
        panic!("{:?}", attempts("last"))
    };
    assert_eq!(
        (first.attribute("task.epoch"), second.attribute("task.epoch")),
        (&json!(1), &json!(2))
    );
    let undone: Vec<&Received> = spans
        .iter()
        .filter(|span| span.name.starts_with("attempt ") && !span.is_of("last") && !span.is_of("late"))
        .collect();
    let [undone] = undone[..] else {
        panic!("{undone:?}")
    };
    assert!(
        first.end <= undone.start && undone.end <= second.start,
        "undone in between"
    );
    let late = attempts("late")[0];
    assert_eq!(late.attribute("sla.missed"), &json!(true), "{late:?}");
    assert_eq!(first.attribute("sla.missed"), &json!(null), "{first:?}");
}
