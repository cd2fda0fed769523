//! The same requests to both hosts: the embedded server over a socket, and the function `intake`. Status, type and body are
//! the same but for ids, times and places in the history. What differs is listed in `docs/http-api.md`.

use serde_json::{Map, Value, json};
use tests::requests::{Reply, Request};
use tests::server::Server;

use crate::agents::{Agents, success};
use crate::deployment::{Deployment, Wanted, eventually};

const CONFIGURATION: &str = r#"
master_orchestrator:
  decision:
    rules:
      - {name: ask-first, when: 'task.action == "publish"', require_approval: "publishing needs a yes"}
"#;

/// A run with a task that is done at once, one that waits for a person, and one that waits for that one.
const WORKFLOW: &str = r"
name: routes
inputs: {rows: 10}
tasks:
  - {id: first, agent: noop, action: run, params: {output: {rows: '${inputs.rows}'}}}
  - {id: ask, agent: noop, action: publish, depends_on: [first]}
  - {id: last, agent: noop, action: run, depends_on: [ask]}
";

/// Both hosts, side by side.
struct Both {
    server: Server,
    deployment: Deployment,
    /// The run on each.
    runs: [String; 2],
}

/// What an answer looks like on any host.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    kind: Option<String>,
    location: Option<String>,
    body: Value,
}

impl Both {
    /// Sends a request to both, with `{run}` for the run of each, and says what they answered.
    async fn send(&self, request: &Request<'_>) -> [Seen; 2] {
        let [embedded, aws] = self
            .runs
            .each_ref()
            .map(|run| request.path.replace("{run}", &format!("/runs/{run}")));
        let to = |path| Request {
            path,
            ..request.clone()
        };
        let replies = [
            to(&embedded).send(&self.server.endpoint),
            self.deployment.ask(&to(&aws)).await,
        ];
        let mut runs = self.runs.iter();
        replies.map(|reply| seen(&reply, runs.next().expect("two runs")))
    }

    /// Sends a request to both and compares; gives what both answered.
    async fn same(&self, request: &Request<'_>) -> Seen {
        let [embedded, aws] = self.send(request).await;
        assert_eq!(embedded, aws, "{} {}", request.method, request.path);
        embedded
    }

    /// Sends a request to both that changes what the policy is asked about. The embedded host has decided when it answers;
    /// on AWS the decision function is about to.
    async fn same_status(&self, request: &Request<'_>) {
        let [embedded, aws] = self.send(request).await;
        assert_eq!((embedded.status, &embedded.kind), (aws.status, &aws.kind));
        assert_eq!(embedded.status, 200, "{request:?}: {embedded:?}");
    }

    async fn await_status(&self, path: &str, status: &str) {
        eventually(&format!("{path} becomes {status}"), async || {
            let seen = self.send(&Request::new("GET", path)).await;
            seen.iter()
                .all(|seen| seen.body["status"] == status)
                .then_some(())
        })
        .await;
    }
}

fn seen(reply: &Reply, run: &str) -> Seen {
    let text = |text: &str| text.replace(run, "RUN");
    Seen {
        status: reply.status,
        kind: reply.header("content-type").map(str::to_owned),
        location: reply.header("location").map(text),
        body: plain(&reply.json(), &text),
    }
}

/// Without what must differ.
fn plain(value: &Value, text: &impl Fn(&str) -> String) -> Value {
    /// Places in the history: the embedded host decides in the append that made tasks ready.
    const PLACES: [&str; 4] = ["seq", "index", "next_after", "next_cursor"];
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| !PLACES.contains(&name.as_str()));
            let field = |(name, value): (&String, &Value)| {
                let value = match name.as_str() {
                    "duration_ms" | "queued_ms" | "elapsed_ms" | "redo_ms" => json!("TIME"),
                    // It stands for a plan of one run.
                    "plan_token" => json!("TOKEN"),
                    _ => plain(value, text),
                };
                (name.clone(), value)
            };
            Value::Object(kept.map(field).collect::<Map<_, _>>())
        }
        Value::Array(values) => values.iter().map(|value| plain(value, text)).collect(),
        Value::String(given) => {
            let is_time = given.len() >= 20 && given.ends_with('Z') && given.as_bytes()[10] == b'T';
            json!(if is_time { "TIME".to_owned() } else { text(given) })
        }
        other => other.clone(),
    }
}

async fn both() -> Both {
    let folder = tempfile::tempdir().expect("a folder").keep();
    let configuration = folder.join("orchestrator.yaml");
    std::fs::write(&configuration, CONFIGURATION).expect("a writable folder");
    let server = Server::start(&folder.join("data"), &configuration);
    let deployment = Deployment::new(Wanted {
        agents: &["noop"],
        configuration: CONFIGURATION,
        ..Wanted::default()
    })
    .await;
    Both {
        server,
        deployment,
        runs: ["none".to_owned(), "none".to_owned()],
    }
}

/// Lets the agent `noop` of the embedded host work at a queue.
fn noop(deployment: &Deployment) -> Agents {
    let mut agents = Agents::default();
    agents.hire(deployment, "noop", 1, |envelope| {
        vec![success(envelope["params"]["output"].clone())]
    });
    agents
}

async fn submit(both: &mut Both, workflow: &str) {
    let request = Request::new("POST", "/workflows").yaml(workflow);
    let embedded = request.send(&both.server.endpoint);
    let aws = both.deployment.ask(&request).await;
    let id = |reply: &Reply| reply.json()["id"].as_str().expect("a run has an id").to_owned();
    both.runs = [id(&embedded), id(&aws)];
    let [of_embedded, of_aws] = both.runs.each_ref();
    assert_eq!(seen(&embedded, of_embedded), seen(&aws, of_aws));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_gives_the_same_answer_on_both_hosts() {
    let mut both = both().await;
    let _agents = noop(&both.deployment);
    submit(&mut both, WORKFLOW).await;
    let get = |path| Request::new("GET", path);
    let post = |path| Request::new("POST", path);

    both.same(&get("/healthz")).await;
    both.same(&get("/openapi.json")).await;
    both.await_status("{run}/tasks/ask", "HELD").await;
    for path in [
        "{run}",
        "{run}/tasks/first",
        "{run}/tasks/ask",
        "{run}/tasks/last",
        "{run}/tasks/first/explain",
        "{run}/tasks/ask/explain",
        "{run}/tasks/last/explain",
        "{run}/tasks/first/logs",
        "/runs?status=running&limit=1&workflow=routes&client=local",
        "/runs?client=nobody",
        "/pools",
    ] {
        assert_eq!(both.same(&get(path)).await.status, 200, "{path}");
    }
    let types = |seen: &Seen| -> Vec<String> {
        let events = seen.body["events"].as_array().expect("events");
        events.iter().map(|event| event["type"].to_string()).collect()
    };
    let [embedded, aws] = both.send(&get("{run}/events?after=0&limit=1000")).await;
    assert_eq!(types(&embedded), types(&aws));

    both.same(&post("{run}/pause")).await;
    both.same_status(&post("{run}/resume")).await;
    let urgent = Request::new("PATCH", "{run}").json(r#"{"priority": 9}"#);
    both.same(&urgent).await;
    assert_eq!(both.same(&get("{run}")).await.body["priority"], 9);
    both.same_status(&post("{run}/tasks/ask/approve")).await;
    both.await_status("{run}", "SUCCESS").await;
    both.same(&get("{run}/tasks/last")).await;
    both.same_status(&post("{run}/tasks/ask/rerun")).await;
    both.await_status("{run}/tasks/ask", "HELD").await;
    let reject = post("{run}/tasks/ask/reject").json(r#"{"reason": "not today"}"#);
    both.same_status(&reject).await;
    both.await_status("{run}", "FAILED").await;
    both.same(&get("{run}")).await;
    both.same_status(&post("{run}/retry")).await;
    both.same(&post("{run}/cancel").json(r#"{"reason": "enough"}"#))
        .await;
    both.same(&get("{run}")).await;
    let back = |body| post("{run}/rollback").json(body);
    let preview = both.same(&back(r#"{"steps": 1, "dry_run": true}"#)).await;
    assert_eq!(
        (&preview.body["applied"], &preview.body["plan"]["reopens"]),
        (&json!(false), &json!(true))
    );
    both.same_status(&back(r#"{"steps": 1, "reason": "once more", "fresh": true}"#))
        .await;
    let list = both.same(&get("{run}/rollbacks")).await;
    assert_eq!(list.body["rollbacks"][0]["reason"], "once more");
    both.same(&post("{run}/cancel")).await;
    both.same(&post("/policy/explain?task=ask").yaml(WORKFLOW)).await;
    both.same(&post("/workflows?mode=plan").yaml(WORKFLOW)).await;
    let stale = r#"{"type": "TASK_STARTED", "epoch": 1, "attempt": 1, "token": "no"}"#;
    assert_eq!(
        both.same(&post("{run}/tasks/first/events").json(stale))
            .await
            .status,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_the_same_on_both_hosts() {
    let mut both = both().await;
    let _agents = noop(&both.deployment);
    let done = "name: done\ntasks: [{id: a, agent: noop, action: run}]";
    submit(&mut both, done).await;
    both.await_status("{run}", "SUCCESS").await;
    let post = |path| Request::new("POST", path);
    let get = |path| Request::new("GET", path);
    let key = || post("/workflows").header("idempotency-key", "k");
    let back = |body| post("{run}/rollback").json(body);
    let cases = [
        (get("/nothing"), 404),
        (get("/runs/../../etc/passwd"), 404),
        (get("/runs/%2e%2e%2fetc"), 404),
        (get("/runs/00000000000000000000000000"), 404),
        (get("{run}/tasks/b"), 404),
        (get("{run}/tasks/a%5B0%5D"), 404),
        (get("{run}/tasks/a/logs?attempt=7"), 400),
        (get("{run}/events?after=-1"), 400),
        (get("/runs?limit=0"), 400),
        (get("/runs?status=DONE"), 400),
        (get("/runs?colour=red"), 400),
        (get("/runs?cursor=x"), 400),
        (Request::new("DELETE", "{run}"), 405),
        (post("{run}/cancel"), 409),
        (post("{run}/retry"), 409),
        (post("{run}/tasks/a/approve"), 409),
        (back(r#"{"steps": 0, "reason": "r"}"#), 400),
        (back(r#"{"steps": 1}"#), 400),
        (back(r#"{"reason": "r"}"#), 400),
        (back(r#"{"steps": 1, "to_task": "a", "reason": "r"}"#), 400),
        (back(r#"{"steps": 1, "reason": "r", "plan_token": "x"}"#), 400),
        (back(r#"{"steps": 2, "reason": "r"}"#), 409),
        (back(r#"{"tasks": ["b"], "reason": "r"}"#), 404),
        (Request::new("PATCH", "{run}").json(r#"{"priority": 11}"#), 400),
        (Request::new("PATCH", "{run}").json("{}"), 400),
        (post("{run}/cancel").json(r#"{"why": 1}"#), 400),
        (post("{run}/cancel").json("{"), 400),
        (post("/workflows"), 415),
        (post("/workflows").yaml("name: [unclosed"), 422),
        (post("/workflows").yaml(""), 422),
        (
            Request {
                body: b"\xff\xfe\x00",
                ..post("/workflows")
            }
            .header("content-type", "application/yaml"),
            422,
        ),
        (post("/workflows").json(r#"{"dsl": "a", "workflow": "b"}"#), 400),
        (post("/workflows").json(r#"{"dsl": {}, "inputs": 3}"#), 422),
        (post("/workflows?mode=fly").yaml(done), 400),
        (post("/workflows").yaml(done).header("idempotency-key", ""), 400),
        (post("/policy/explain?task=zzz").yaml(done), 404),
    ];
    for (request, status) in cases {
        let seen = both.same(&request).await;
        assert_eq!(seen.status, status, "{request:?}: {seen:?}");
        assert_eq!(seen.kind.as_deref(), Some("application/problem+json"));
    }
    let moved = back(r#"{"steps": 1, "reason": "r", "plan_token": "00112233445566778899"}"#);
    for seen in both.send(&moved).await {
        assert_eq!(
            (seen.status, &seen.body["code"]),
            (409, &json!("rollback.plan-changed"))
        );
    }
    let [first, again, other] = [key().yaml(done), key().yaml(done), key().yaml(WORKFLOW)];
    let mut statuses = Vec::new();
    for request in [first, again, other] {
        let [embedded, aws] = both.send(&request).await;
        assert_eq!(
            (
                embedded.status,
                &embedded.body["code"],
                &embedded.body["replayed"]
            ),
            (aws.status, &aws.body["code"], &aws.body["replayed"])
        );
        statuses.push(aws.status);
    }
    assert_eq!(statuses, [201, 200, 422]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_see_their_own_runs_and_the_gateway_says_who_they_are() {
    let deployment = Deployment::new(Wanted {
        agents: &["noop"],
        ..Wanted::default()
    })
    .await;
    let submit = Request::new("POST", "/workflows").yaml(WORKFLOW);
    let reply = deployment.ask_as_client(&submit, "ann").await;
    assert_eq!((reply.status, &reply.json()["client_id"]), (201, &json!("ann")));
    let run = format!("/runs/{}", reply.json()["id"].as_str().expect("a run has an id"));
    let get = Request::new("GET", &run);
    assert_eq!(deployment.ask_as_client(&get, "ann").await.status, 200);
    assert_eq!(deployment.ask(&get).await.status, 200);
    let cancel = format!("{run}/cancel");
    for request in [&get, &Request::new("POST", &cancel)] {
        assert_eq!(
            deployment.ask_as_client(request, "eve").await.code(),
            "run.unknown"
        );
    }
    let list = Request::new("GET", "/runs");
    let of_eve = deployment.ask_as_client(&list, "eve").await.json();
    assert_eq!(of_eve["runs"], json!([]));
    let for_ann = json!({"dsl": WORKFLOW, "client_id": "ann"}).to_string();
    let stolen = Request::new("POST", "/workflows").json(&for_ann);
    assert_eq!(
        deployment.ask_as_client(&stolen, "eve").await.code(),
        "auth.forbidden"
    );

    let nobody = deployment.ask_as(&get, Value::Null).await;
    assert_eq!(
        (nobody.status, nobody.code()),
        (401, "auth.missing-token".to_owned())
    );
    let health = Request::new("GET", "/healthz");
    assert_eq!(deployment.ask_as(&health, Value::Null).await.status, 200);

    let events = format!("{run}/events");
    let stream = Request::new("GET", &events).header("accept", "text/event-stream");
    assert_eq!(deployment.ask(&stream).await.code(), "host.unsupported");
    let stats = Request::new("GET", "/stats");
    assert_eq!(
        deployment.ask_as_client(&stats, "eve").await.code(),
        "auth.forbidden"
    );
    let stats = deployment.ask(&stats).await.json();
    assert_eq!(stats["runs"]["by_event"]["SUBMITTED"], 1, "{stats}");

    let claims = json!({"jwt": {"claims": {"sub": "ann"}}});
    let take_back = format!("{run}/retry");
    let back = format!("{run}/rollback");
    for (request, code) in [
        (Request::new("POST", &take_back), "run.not-retryable"),
        (
            Request::new("POST", &back).json(r#"{"steps": 9, "dry_run": true}"#),
            "rollback.too-many-steps",
        ),
        (Request::new("GET", &run), "request.no-route"),
    ] {
        let event = crate::api::event(&request, claims.clone());
        let answer = deployment.call("rollback", &event).await.expect("an answer");
        let body = answer["body"].as_str().expect("a body").to_owned();
        assert!(body.contains(code), "{body}");
    }
}
