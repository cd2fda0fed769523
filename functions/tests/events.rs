//! Every sample in `events/` is what its function takes.

use std::fs;
use std::path::Path;

use aws_lambda_events::sqs::SqsEvent;
use orchestrator_aws::messages::{translations, wire};
use orchestrator_aws::payloads::Reference;
use orchestrator_engine::api::route;
use orchestrator_functions::gateway::GatewayRequest;
use orchestrator_functions::identity::Identities;
use orchestrator_functions::job_changes::{DETAIL_TYPE, JobEvent};
use orchestrator_functions::sweep::Cause;
use serde_json::Value;

/// The samples of a function, by name.
fn samples(function: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../events")
        .join(function);
    let files = fs::read_dir(&folder).expect("every function has samples");
    let samples: Vec<(String, Value)> = files
        .map(|file| {
            let path = file.expect("a readable folder").path();
            let text = fs::read_to_string(&path).expect("a readable file");
            let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            let name = path.file_stem().expect("a file has a name");
            (name.to_string_lossy().into_owned(), value)
        })
        .collect();
    assert!(!samples.is_empty(), "{folder:?}");
    samples
}

/// Messages in a batch: how many can be read, and how many are poison.
fn messages(name: &str, event: Value) -> (usize, usize) {
    let event: SqsEvent = serde_json::from_value(event).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(!event.records.is_empty(), "{name}");
    let is_read = |body: &str| {
        let is_elsewhere = serde_json::from_str::<Reference>(body).is_ok();
        is_elsewhere || wire::decode(body).is_ok()
    };
    let bodies = event.records.iter().map(|record| {
        let count = record.attributes.get("ApproximateReceiveCount");
        assert!(count.is_some_and(|count| count.parse::<u32>().is_ok()), "{name}");
        record.body.as_deref().expect("a message has a body")
    });
    let (read, poison): (Vec<&str>, Vec<&str>) = bodies.partition(|body| is_read(body));
    (read.len(), poison.len())
}

#[test]
fn requests_are_read_and_say_who_asks() {
    let identities = Identities::from(|_| None);
    for (name, event) in samples("intake").into_iter().chain(samples("rollback")) {
        let request: GatewayRequest =
            serde_json::from_value(event).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_known = identities
            .caller(request.request_context.authorizer.as_ref())
            .is_some();
        let request = request
            .into_http()
            .unwrap_or_else(|problem| panic!("{name}: {problem}"));
        let path = request.uri().path();
        let is_open = ["/healthz", "/openapi.json"].contains(&path) || path.ends_with("/events");
        assert!(is_known || is_open, "{name}: nobody asks for {path}");
    }
}

#[test]
fn requests_go_to_the_function_that_serves_them() {
    for function in ["intake", "rollback"] {
        for (name, event) in samples(function) {
            let request: GatewayRequest = serde_json::from_value(event).expect("a request");
            let request = request.into_http().expect("a request");
            // There are samples of paths that do not exist.
            if let Ok(found) = route::find(request.method(), request.uri().path()) {
                let takes_back = found.route.operation.takes_back();
                assert_eq!(takes_back, function == "rollback", "{name}");
            }
        }
    }
}

#[test]
fn messages_are_read_and_poison_is_told_apart() {
    let decisions = samples("decision");
    let (events, said): (Vec<_>, Vec<_>) = samples("task_events")
        .into_iter()
        .partition(|(_, event)| event["detail-type"] == DETAIL_TYPE);
    assert!(!events.is_empty());
    for (name, event) in decisions.into_iter().chain(said) {
        let (read, poison) = messages(&name, event);
        assert_eq!(
            name.contains("poison"),
            poison > 0,
            "{name}: {poison} cannot be read"
        );
        assert!(read > 0 || poison > 0, "{name}");
    }
}

#[test]
fn ends_of_jobs_are_read() {
    let events = samples("task_events").into_iter();
    let mut reports = 0;
    for (name, event) in events.filter(|(_, event)| event["detail-type"] == DETAIL_TYPE) {
        let event: JobEvent = serde_json::from_value(event).unwrap_or_else(|error| panic!("{name}: {error}"));
        let report = event.detail.report();
        assert!(
            report.is_none() || !name.contains("somebody_else"),
            "{name}: {report:?}"
        );
        reports += usize::from(report.is_some());
    }
    assert!(reports > 3, "only {reports} are about attempts");
}

#[test]
fn the_sweep_knows_who_calls() {
    for (name, event) in samples("sla_sweep") {
        let is_schedule = name.starts_with("schedule");
        assert_eq!(Cause::of(&event) == Cause::Schedule, is_schedule, "{name}");
    }
}

#[test]
fn texts_are_read_and_poison_is_told_apart() {
    for (name, event) in samples("translator") {
        let event: SqsEvent = serde_json::from_value(event).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!event.records.is_empty(), "{name}");
        for record in event.records {
            let body = record.body.as_deref().expect("a message has a body");
            assert_eq!(
                translations::decode(body).is_err(),
                name.contains("poison"),
                "{name}: {body}"
            );
        }
    }
}
