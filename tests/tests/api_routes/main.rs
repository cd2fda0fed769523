//! Every route of the HTTP API over a real socket: what it answers, and how it refuses.

mod caller;
mod texts;

use std::collections::BTreeSet;

use orchestrator_engine::api::ROUTES;
use serde_json::json;
use tests::requests::Request;

use caller::{Caller, await_status, start};

/// A run with a task that is done at once, one that waits for a person, and one that waits for that one.
const WORKFLOW: &str = r"
name: routes
inputs: {rows: 10}
tasks:
  - {id: first, agent: noop, action: run, params: {output: {rows: '${inputs.rows}'}}}
  - {id: ask, agent: noop, action: publish, depends_on: [first]}
  - {id: last, agent: noop, action: run, depends_on: [ask]}
";

#[test]
fn every_route_answers_as_documented() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let server = start(folder.path());
    let mut caller = Caller {
        server: &server,
        taken: BTreeSet::new(),
    };

    let health = caller.json("/healthz", &Request::new("GET", "/healthz"));
    assert_eq!(health, json!({"status": "ok"}));
    let api = caller.json("/openapi.json", &Request::new("GET", "/openapi.json"));
    assert_eq!(api["openapi"], "3.1.0");

    let reply = caller.send("/workflows", &Request::new("POST", "/workflows").yaml(WORKFLOW));
    assert_eq!(reply.status, 201, "{}", reply.json());
    let id = reply.json()["id"].as_str().expect("a run has an id").to_owned();
    assert_eq!(reply.header("location"), Some(format!("/runs/{id}").as_str()));
    let run = format!("/runs/{id}");
    await_status(&server, &format!("{run}/tasks/ask"), "HELD");

    texts::take(&mut caller);

    let view = caller.json("/runs/{run}", &Request::new("GET", &run));
    let named = (&view["workflow"], &view["client_id"], &view["inputs"]);
    assert_eq!(named, (&json!("routes"), &json!("local"), &json!({"rows": 10})));
    assert_eq!(view["counts"], json!({"SUCCESS": 1, "HELD": 1, "PENDING": 1}));
    assert_eq!(view["tasks"][1]["held"]["reason"], "approval");
    let list = caller.json(
        "/runs",
        &Request::new("GET", "/runs?status=running&limit=1&workflow=routes&client=local"),
    );
    assert_eq!(list["runs"][0]["id"], json!(id));

    let events = caller.json(
        "/runs/{run}/events",
        &Request::new("GET", &format!("{run}/events?after=0&limit=2")),
    );
    assert_eq!(events["events"][0]["type"], "RUN_SUBMITTED");
    let task = caller.json(
        "/runs/{run}/tasks/{task}",
        &Request::new("GET", &format!("{run}/tasks/first")),
    );
    assert_eq!(
        (&task["output"], &task["attempts"][0]["status"]),
        (&json!({"rows": 10}), &json!("SUCCESS"))
    );
    let why = caller.json(
        "/runs/{run}/tasks/{task}/explain",
        &Request::new("GET", &format!("{run}/tasks/last/explain")),
    );
    assert_eq!(why["waits_for"][0]["task"], "ask");
    let logs = caller.json(
        "/runs/{run}/tasks/{task}/logs",
        &Request::new("GET", &format!("{run}/tasks/first/logs")),
    );
    assert_eq!(logs["attempt"], 1);

    let paused = caller.json(
        "/runs/{run}/pause",
        &Request::new("POST", &format!("{run}/pause")),
    );
    assert_eq!(paused["status"], "PAUSED");
    let resumed = caller.json(
        "/runs/{run}/resume",
        &Request::new("POST", &format!("{run}/resume")),
    );
    assert_eq!(resumed["status"], "RUNNING");
    let urgent = Request::new("PATCH", &run).json(r#"{"priority": 9}"#);
    caller.json("/runs/{run}", &urgent);
    assert_eq!(
        caller.json("/runs/{run}", &Request::new("GET", &run))["priority"],
        9
    );

    caller.json(
        "/runs/{run}/tasks/{task}/approve",
        &Request::new("POST", &format!("{run}/tasks/ask/approve")),
    );
    await_status(&server, &run, "SUCCESS");
    caller.json(
        "/runs/{run}/tasks/{task}/rerun",
        &Request::new("POST", &format!("{run}/tasks/ask/rerun")),
    );
    await_status(&server, &format!("{run}/tasks/ask"), "HELD");
    let reject = format!("{run}/tasks/ask/reject");
    let reject = Request::new("POST", &reject).json(r#"{"reason": "not today"}"#);
    caller.json("/runs/{run}/tasks/{task}/reject", &reject);
    let failed = await_status(&server, &run, "FAILED");
    assert_eq!(failed["tasks"][1]["error"]["class"], "rejected");
    caller.json(
        "/runs/{run}/retry",
        &Request::new("POST", &format!("{run}/retry")),
    );
    let cancelled = caller.json(
        "/runs/{run}/cancel",
        &Request::new("POST", &format!("{run}/cancel")).json(r#"{"reason": "enough"}"#),
    );
    assert_eq!(cancelled["status"], "CANCELLED");
    let view = caller.json("/runs/{run}", &Request::new("GET", &run));
    assert_eq!(view["cancelled"], json!({"by": "local", "reason": "enough"}));

    let back = format!("{run}/rollback");
    let back = Request::new("POST", &back).json(r#"{"steps": 1, "reason": "once more"}"#);
    let answer = caller.json("/runs/{run}/rollback", &back);
    assert_eq!(
        (&answer["applied"], &answer["rollback"], &answer["run"]["status"]),
        (&json!(true), &json!(1), &json!("RUNNING"))
    );
    let rollbacks = caller.json(
        "/runs/{run}/rollbacks",
        &Request::new("GET", &format!("{run}/rollbacks")),
    );
    assert_eq!(
        (
            &rollbacks["rollbacks"][0]["reason"],
            &rollbacks["rollbacks"][0]["plan"]
        ),
        (&json!("once more"), &answer["plan"])
    );
    caller.json(
        "/runs/{run}/cancel",
        &Request::new("POST", &format!("{run}/cancel")),
    );

    let explained = caller.json(
        "/policy/explain",
        &Request::new("POST", "/policy/explain?task=ask").yaml(WORKFLOW),
    );
    assert_eq!(explained["tasks"][0]["decision"], "hold: approval");
    assert!(
        explained["tasks"][0]["steps"]
            .as_array()
            .is_some_and(|steps| !steps.is_empty())
    );
    let pools = caller.json("/pools", &Request::new("GET", "/pools"));
    assert!(
        pools["pools"]
            .as_array()
            .is_some_and(|pools| pools.iter().any(|pool| pool["pool"] == "gpu"))
    );
    let path = format!("{run}/trace");
    let trace = caller.json("/runs/{run}/trace", &Request::new("GET", &path));
    assert_eq!(trace["run_id"], json!(id), "{trace}");
    let metrics = Request::new("GET", "/metrics");
    assert_eq!(caller.send("/metrics", &metrics).status, 200);
    let stats = caller.json("/stats", &Request::new("GET", "/stats"));
    assert!(stats["commits"].as_u64().is_some_and(|commits| commits > 0));
    let sla = caller.json("/sla", &Request::new("GET", "/sla?limit=5"));
    assert_eq!(sla["active_total"], 0);
    assert!(sla["recent"].as_array().is_some_and(Vec::is_empty));
    assert_eq!(
        caller.send("/sla", &Request::new("GET", "/sla?limit=0")).code(),
        "request.bad-parameter"
    );

    let report = format!("{run}/tasks/first/events");
    let report = Request::new("POST", &report)
        .json(r#"{"type": "TASK_STARTED", "epoch": 1, "attempt": 1, "token": "no"}"#);
    assert_eq!(
        caller.send("/runs/{run}/tasks/{task}/events", &report).code(),
        "attempt.bad-token"
    );

    let all: BTreeSet<(String, &str)> = ROUTES
        .iter()
        .map(|route| (route.method.to_string(), route.path))
        .collect();
    assert_eq!(caller.taken, all);
}

#[test]
fn a_plan_and_a_wrapped_document_are_taken_too() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let server = start(folder.path());
    let wrapped =
        json!({"dsl": WORKFLOW, "inputs": {"rows": 3}, "metadata": {"urgent": true}, "mode": "plan"})
            .to_string();
    let plan = Request::new("POST", "/workflows")
        .json(&wrapped)
        .send(&server.endpoint);
    assert_eq!(
        (plan.status, &plan.json()["inputs"]["rows"]),
        (200, &json!(3)),
        "{}",
        plan.json()
    );
    assert_eq!(plan.json()["stages"], 3);
    let tasks = json!([{"name": "a", "agent": "noop", "action": "run"}]);
    let nested = json!({"workflow": {"name": "nested", "client_id": "team-a"}, "tasks": tasks}).to_string();
    let run = Request::new("POST", "/workflows")
        .json(&nested)
        .send(&server.endpoint);
    assert_eq!(
        (run.status, &run.json()["client_id"]),
        (201, &json!("team-a")),
        "{}",
        run.json()
    );
}

#[test]
fn every_refusal_has_a_status_a_code_and_a_remedy() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let server = start(folder.path());
    let done = "name: done\ntasks: [{id: a, agent: noop, action: run}]";
    let run = Request::new("POST", "/workflows")
        .yaml(done)
        .send(&server.endpoint)
        .json();
    let run = format!("/runs/{}", run["id"].as_str().expect("a run has an id"));
    await_status(&server, &run, "SUCCESS");
    let path = |rest: &str| format!("{run}{rest}");
    let (cancel, retry, approve, unknown_task) = (
        path("/cancel"),
        path("/retry"),
        path("/tasks/a/approve"),
        path("/tasks/b"),
    );
    let (tasks, logs, bad_events) = (
        path("/tasks/%2e%2e%2f%2e%2e/logs"),
        path("/tasks/a/logs?attempt=7"),
        path("/events?after=-1"),
    );
    let post = |path| Request::new("POST", path);
    let get = |path| Request::new("GET", path);
    let missing = "/runs/00000000000000000000000000";
    let cases = [
        (get("/nothing"), 404, "request.no-route"),
        (get("/runs/../../etc/passwd"), 404, "request.no-route"),
        (get("/runs/%2e%2e%2fetc"), 404, "run.unknown"),
        (get("/runs/%00"), 404, "run.unknown"),
        (get(missing), 404, "run.unknown"),
        (get(&tasks), 404, "task.unknown"),
        (get(&unknown_task), 404, "task.unknown"),
        (get(&logs), 400, "request.bad-parameter"),
        (get(&bad_events), 400, "request.bad-parameter"),
        (get("/runs?limit=0"), 400, "request.bad-parameter"),
        (get("/runs?status=DONE"), 400, "request.bad-parameter"),
        (get("/runs?colour=red"), 400, "request.bad-parameter"),
        (get("/runs?cursor=x"), 400, "request.bad-parameter"),
        (Request::new("DELETE", &run), 405, "request.method"),
        (
            get("/runs").header("host", "evil.example"),
            403,
            "auth.foreign-origin",
        ),
        (
            post(&cancel).header("origin", "https://evil.example"),
            403,
            "auth.foreign-origin",
        ),
        (post(&cancel), 409, "run.ended"),
        (post(&retry), 409, "run.not-retryable"),
        (post(&approve), 409, "run.ended"),
        (
            Request::new("PATCH", &run).json(r#"{"priority": 11}"#),
            400,
            "run.priority-out-of-range",
        ),
        (Request::new("PATCH", &run).json("{}"), 400, "request.malformed"),
        (post(&cancel).json(r#"{"why": 1}"#), 400, "request.malformed"),
        (post(&cancel).json("{"), 400, "request.malformed"),
        (post("/workflows"), 415, "request.content-type"),
        (
            Request {
                body: b"name: a",
                ..post("/workflows")
            }
            .header("content-type", "text/plain"),
            415,
            "request.content-type",
        ),
        (post("/workflows").yaml("name: [unclosed"), 422, "dsl.invalid"),
        (post("/workflows").yaml(""), 422, "dsl.invalid"),
        (
            Request {
                body: b"\xff\xfe\x00",
                ..post("/workflows")
            }
            .header("content-type", "application/yaml"),
            422,
            "dsl.invalid",
        ),
        (
            post("/workflows").json(r#"{"dsl": "a", "workflow": "b"}"#),
            400,
            "request.malformed",
        ),
        (
            post("/workflows").json(r#"{"dsl": {}, "inputs": 3}"#),
            422,
            "dsl.invalid",
        ),
        (
            post("/workflows?mode=fly").yaml(done),
            400,
            "request.bad-parameter",
        ),
        (
            post("/workflows").yaml(done).header("idempotency-key", ""),
            400,
            "idempotency.bad-key",
        ),
        (post("/policy/explain?task=zzz").yaml(done), 404, "task.unknown"),
    ];
    for (request, status, code) in cases {
        let reply = request.send(&server.endpoint);
        let body = reply.json();
        let seen = (reply.status, body["code"].as_str().unwrap_or_default());
        assert_eq!(
            seen,
            (status, code),
            "{} {}: {body}",
            request.method,
            request.path
        );
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json"),
            "{code}"
        );
        assert_eq!(body["status"], status, "{code}");
        assert!(
            body["title"].is_string() && body["type"].is_string() && body["detail"].is_string(),
            "{body}"
        );
        assert!(reply.header("x-request-id").is_some(), "{code}");
    }
    let reply = Request::new("DELETE", &run).send(&server.endpoint);
    assert_eq!(reply.header("allow"), Some("GET, PATCH"));
    let named = get("/healthz")
        .header("x-request-id", "mine")
        .send(&server.endpoint);
    assert_eq!(named.header("x-request-id"), Some("mine"));
}
