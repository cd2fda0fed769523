//! What is let in: documents, sizes, rates, keys, clients. And streams of events.

use std::path::Path;

use serde_json::{Value, json};
use tests::http::Endpoint;
use tests::requests::{Reply, Request};
use tests::server::{Server, eventually};

const DONE: &str = "name: done\ntasks: [{id: a, agent: noop, action: run}]";
const WAITS: &str = "name: waits\ntasks: [{id: a, agent: sleep, action: run, params: {seconds: 600}}]";

fn start(folder: &Path, configuration: &str, flags: &[&str]) -> Server {
    let file = folder.join("orchestrator.yaml");
    std::fs::write(&file, configuration).expect("the folder is writable");
    Server::start_with(&folder.join("data"), &file, flags)
}

fn submit(endpoint: &Endpoint, document: &str) -> Reply {
    Request::new("POST", "/workflows").yaml(document).send(endpoint)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is a temporary directory")
}

#[test]
fn a_body_of_10_mib_is_refused_and_the_server_goes_on() {
    let folder = folder();
    let server = start(folder.path(), "", &[]);
    let large = "x".repeat(10 << 20);
    let reply = submit(&server.endpoint, &large);
    assert_eq!((reply.status, reply.code().as_str()), (413, "request.too-large"));
    let slightly = format!("{DONE}\ndescription: {}", "x".repeat(1 << 20));
    assert_eq!(submit(&server.endpoint, &slightly).code(), "request.too-large");
    assert_eq!(submit(&server.endpoint, DONE).status, 201);
}

#[test]
fn the_same_key_and_body_is_one_run_and_another_body_is_refused() {
    let folder = folder();
    let server = start(folder.path(), "", &[]);
    let send = |body| {
        Request::new("POST", "/workflows")
            .yaml(body)
            .header("idempotency-key", "k-1")
            .send(&server.endpoint)
    };
    let (first, second, other) = (send(DONE), send(DONE), send(WAITS));
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.json()["id"], second.json()["id"]);
    assert_eq!(
        (second.header("idempotency-replayed"), &second.json()["replayed"]),
        (Some("true"), &json!(true))
    );
    assert_eq!(
        (other.status, other.code().as_str()),
        (422, "idempotency.key-reused")
    );
    let runs = Request::new("GET", "/runs").send(&server.endpoint).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1));
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let folder = folder();
    let server = start(
        folder.path(),
        "master_orchestrator: {intake: {requests_per_hour: 2, burst: 2}}",
        &[],
    );
    let replies: Vec<Reply> = (0..3).map(|_| submit(&server.endpoint, DONE)).collect();
    assert_eq!(
        replies.iter().map(|reply| reply.status).collect::<Vec<_>>(),
        [201, 201, 429]
    );
    assert_eq!(replies[2].code(), "limit.rate");
    let seconds: u64 = replies[2]
        .header("retry-after")
        .and_then(|text| text.parse().ok())
        .expect("Retry-After is there");
    assert!((1..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(Request::new("GET", "/runs").send(&server.endpoint).status, 200);
}

#[test]
fn runs_above_the_limit_wait_or_are_refused_as_configured() {
    let queue = folder();
    let server = start(
        queue.path(),
        "master_orchestrator: {intake: {max_concurrent_runs: 1}}",
        &[],
    );
    let first = submit(&server.endpoint, WAITS).json()["id"]
        .as_str()
        .map(str::to_owned)
        .expect("it has an id");
    let second = submit(&server.endpoint, DONE).json()["id"]
        .as_str()
        .map(str::to_owned)
        .expect("it has an id");
    let status = |id: &str| {
        Request::new("GET", &format!("/runs/{id}"))
            .send(&server.endpoint)
            .json()["status"]
            .clone()
    };
    assert_eq!(status(&second), "PENDING");
    let why = Request::new("GET", &format!("/runs/{second}/tasks/a/explain"))
        .send(&server.endpoint)
        .json();
    assert!(
        why["because"][0]
            .as_str()
            .is_some_and(|text| text.contains("concurrent-run limit")),
        "{why}"
    );
    assert_eq!(
        Request::new("POST", &format!("/runs/{first}/cancel"))
            .send(&server.endpoint)
            .status,
        200
    );
    eventually("the freed place goes to the run that waits", || {
        (status(&second) == "SUCCESS").then_some(())
    });

    let reject = folder();
    let server = start(
        reject.path(),
        "master_orchestrator: {intake: {max_concurrent_runs: 1, on_limit: reject}}",
        &[],
    );
    assert_eq!(submit(&server.endpoint, WAITS).status, 201);
    let refused = submit(&server.endpoint, WAITS);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "limit.concurrent-runs")
    );
}

#[test]
fn clients_see_and_touch_only_their_own_runs() {
    let folder = folder();
    let clients = folder.path().join("clients.yaml");
    let tokens = [
        "a-token-of-team-a-0",
        "a-token-of-team-b-0",
        "a-token-of-the-operator",
    ];
    let text = format!(
        "clients:\n  team-a: {{token: {}}}\n  team-b: {{token: {}}}\n  ops: {{token: {}, operator: true}}\n",
        tokens[0], tokens[1], tokens[2]
    );
    std::fs::write(&clients, text).expect("the folder is writable");
    let server = start(
        folder.path(),
        "",
        &["--clients", clients.to_str().expect("the path is text")],
    );
    let [a, b, ops] = tokens.map(|token| Endpoint {
        address: server.endpoint.address.clone(),
        token: Some(token.to_owned()),
    });

    let created = submit(&a, WAITS);
    assert_eq!(
        (created.status, &created.json()["client_id"]),
        (201, &json!("team-a"))
    );
    let run = format!("/runs/{}", created.json()["id"].as_str().expect("it has an id"));
    let paths =
        ["", "/events", "/tasks/a", "/tasks/a/explain", "/tasks/a/logs"].map(|rest| format!("{run}{rest}"));
    for path in &paths {
        let seen: Vec<u16> = [&a, &b, &ops]
            .map(|who| Request::new("GET", path).send(who).status)
            .to_vec();
        assert_eq!(seen, [200, 404, 200], "{path}");
    }
    for verb in ["cancel", "pause", "retry", "tasks/a/rerun", "tasks/a/approve"] {
        let reply = Request::new("POST", &format!("{run}/{verb}")).send(&b);
        assert_eq!(reply.code(), "run.unknown", "{verb}");
    }
    let listed = |who: &Endpoint, path: &str| {
        Request::new("GET", path).send(who).json()["runs"]
            .as_array()
            .map_or(0, Vec::len)
    };
    assert_eq!(
        [listed(&a, "/runs"), listed(&b, "/runs"), listed(&ops, "/runs")],
        [1, 0, 1]
    );
    assert_eq!(listed(&b, "/runs?client=team-a"), 0);
    let streamed = Request::new("GET", &format!("{run}/events"))
        .header("accept", "text/event-stream")
        .send(&b);
    assert_eq!(streamed.code(), "run.unknown");

    let foreign = format!("client_id: team-a\n{DONE}");
    assert_eq!(submit(&b, &foreign).code(), "auth.forbidden");
    assert_eq!(submit(&ops, &foreign).json()["client_id"], "team-a");
    assert_eq!(Request::new("GET", "/stats").send(&a).code(), "auth.forbidden");
    assert_eq!(
        Request::new("GET", "/pools").send(&b).json()["pools"][0]["holders"],
        json!([])
    );
    let nobody = Endpoint {
        token: None,
        ..a.clone()
    };
    let stranger = Endpoint {
        token: Some("guess".to_owned()),
        ..a.clone()
    };
    assert_eq!(
        Request::new("GET", "/runs").send(&nobody).code(),
        "auth.missing-token"
    );
    assert_eq!(
        Request::new("GET", "/runs").send(&stranger).code(),
        "auth.bad-token"
    );
    assert_eq!(Request::new("GET", "/healthz").send(&nobody).status, 200);
}

/// Messages of a stream: id, event, data.
fn messages(reply: &Reply) -> Vec<(Option<u64>, String, Value)> {
    let text = String::from_utf8(reply.body.clone()).expect("events are text");
    let read = |message: &str| {
        let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
        let data = serde_json::from_str(field("data: ").unwrap_or("null")).expect("data is JSON");
        let id = field("id: ").and_then(|id| id.parse().ok());
        (id, field("event: ").unwrap_or_default().to_owned(), data)
    };
    text.split("\n\n")
        .filter(|message| message.contains("event: "))
        .map(read)
        .collect()
}

#[test]
fn a_stream_has_every_event_in_order_and_goes_on_where_it_broke_off() {
    let folder = folder();
    let server = start(folder.path(), "", &[]);
    let slow = "name: slow\ntasks:\n  - {id: a, agent: sleep, action: run, params: {seconds: 0.3}}\n  - {id: b, agent: noop, action: run, depends_on: [a]}";
    let run = submit(&server.endpoint, slow).json()["id"]
        .as_str()
        .map(str::to_owned)
        .expect("it has an id");
    let path = format!("/runs/{run}/events");
    let stream = Request::new("GET", &path).header("accept", "text/event-stream");
    let reply = stream.clone().send(&server.endpoint);
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    let all = messages(&reply);
    let kinds: Vec<&str> = all.iter().map(|(_, kind, _)| kind.as_str()).collect();
    assert_eq!(
        (kinds.first(), kinds.last()),
        (Some(&"RUN_SUBMITTED"), Some(&"end")),
        "{kinds:?}"
    );
    assert_eq!(
        all.last().map(|(_, _, data)| data["status"].clone()),
        Some(json!("SUCCESS"))
    );
    let page = Request::new("GET", &path).send(&server.endpoint).json();
    let paged = page["events"].as_array().cloned().unwrap_or_default();
    let streamed: Vec<Value> = all[..all.len() - 1]
        .iter()
        .map(|(_, _, data)| data.clone())
        .collect();
    assert_eq!(streamed, paged);

    let seen = all.iter().find_map(|(id, _, _)| *id).expect("appends have ids");
    let seen_text = seen.to_string();
    let rest = messages(&stream.header("last-event-id", &seen_text).send(&server.endpoint));
    let expected: Vec<&Value> = streamed
        .iter()
        .filter(|event| event["seq"].as_u64() > Some(seen))
        .collect();
    assert_eq!(
        rest[..rest.len() - 1]
            .iter()
            .map(|(_, _, data)| data)
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn pages_of_events_end_where_an_append_ends() {
    let folder = folder();
    let server = start(folder.path(), "", &[]);
    let run = submit(&server.endpoint, DONE).json()["id"]
        .as_str()
        .map(str::to_owned)
        .expect("it has an id");
    let whole = eventually("the run ends", || {
        let page = Request::new("GET", &format!("/runs/{run}/events"))
            .send(&server.endpoint)
            .json();
        (page["status"] == "SUCCESS").then_some(page)
    });
    let mut after = 0;
    let mut events = Vec::new();
    loop {
        let path = format!("/runs/{run}/events?after={after}&limit=1");
        let page = Request::new("GET", &path).send(&server.endpoint).json();
        events.extend(page["events"].as_array().cloned().unwrap_or_default());
        after = page["next_after"]
            .as_u64()
            .expect("a page says where the next begins");
        if page["has_more"] != true {
            break;
        }
    }
    assert_eq!(json!(events), whole["events"]);
}

#[test]
fn all_problems_of_a_document_come_at_once_with_their_places() {
    let folder = folder();
    let server = start(folder.path(), "", &[]);
    let document = "name: w\ntasks:\n  - {id: a, agent: noop, action: run, depends_on: [zz]}\n  - {id: a, agent: noop, action: run}\n";
    let reply = submit(&server.endpoint, document);
    let errors = reply.json()["errors"].as_array().cloned().unwrap_or_default();
    let codes: Vec<&str> = errors.iter().filter_map(|error| error["code"].as_str()).collect();
    assert!(
        codes.contains(&"dsl.unknown-dependency") && codes.contains(&"dsl.duplicate-id"),
        "{errors:?}"
    );
    assert_eq!(errors[0]["line"], 3);

    let strange = "{\n \"dsl\": {\"name\": \"w\",\n  \"tasks\": [{\"id\": \"a\", \"agent\": \"nobody\", \"action\": \"run\"}]}}";
    let reply = Request::new("POST", "/workflows")
        .json(strange)
        .send(&server.endpoint);
    let error = &reply.json()["errors"][0];
    assert_eq!(
        (&error["code"], &error["line"]),
        (&json!("dsl.unknown-agent"), &json!(3)),
        "{error}"
    );
    assert!(
        error["remedy"]
            .as_str()
            .is_some_and(|remedy| remedy.contains("noop")),
        "{error}"
    );
}
