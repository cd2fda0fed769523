//! Agents that report over HTTP: with the token of their envelope, and only while their attempt is the live one.

use std::path::Path;

use serde_json::{Value, json};
use tests::requests::{Reply, Request};
use tests::server::{Server, eventually};

/// An agent that never reports by itself: the test does, in its place.
const CONFIGURATION: &str = "agents: {elsewhere: {command: [\"sleep\", \"600\"]}}";
const WORKFLOW: &str = "name: reports\ntasks:\n  - {id: job, agent: elsewhere, action: run}\n  - {id: after, agent: noop, action: run, depends_on: [job]}";

struct Attempt {
    path: String,
    token: String,
    epoch: u64,
    attempt: u64,
}

impl Attempt {
    fn report(&self, server: &Server, kind: &str, more: &Value) -> Reply {
        let mut body =
            json!({"type": kind, "epoch": self.epoch, "attempt": self.attempt, "token": self.token});
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        Request::new("POST", &self.path)
            .json(&body.to_string())
            .send(&server.endpoint)
    }
}

fn start(folder: &Path) -> (Server, String) {
    let configuration = folder.join("orchestrator.yaml");
    std::fs::write(&configuration, CONFIGURATION).expect("the folder is writable");
    let server = Server::start(&folder.join("data"), &configuration);
    let run = Request::new("POST", "/workflows")
        .yaml(WORKFLOW)
        .send(&server.endpoint)
        .json();
    (server, run["id"].as_str().expect("a run has an id").to_owned())
}

fn attempt(folder: &Path, run: &str, epoch: u64, attempt: u64) -> Attempt {
    let file = folder.join(format!(
        "data/runs/{run}/tasks/job/{epoch}-{attempt}.envelope.json"
    ));
    let envelope: Value = eventually("the envelope is written", || {
        serde_json::from_slice(&std::fs::read(&file).ok()?).ok()
    });
    Attempt {
        path: format!("/runs/{run}/tasks/job/events"),
        token: envelope["token"]
            .as_str()
            .expect("an envelope has a token")
            .to_owned(),
        epoch,
        attempt,
    }
}

fn get(server: &Server, path: &str) -> Value {
    Request::new("GET", path).send(&server.endpoint).json()
}

#[test]
fn an_attempt_reports_progress_checkpoint_and_success() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let (server, run) = start(folder.path());
    let work = attempt(folder.path(), &run, 1, 1);
    for (kind, more) in [
        ("TASK_STARTED", json!({})),
        ("TASK_PROGRESS", json!({"percent": 40, "message": "fold 2 of 5"})),
        ("TASK_CHECKPOINT", json!({"checkpoint": {"epoch": 25}})),
    ] {
        let reply = work.report(&server, kind, &more);
        assert_eq!(
            (reply.status, &reply.json()["recorded"]),
            (202, &json!(true)),
            "{kind}: {}",
            reply.json()
        );
    }
    let task = get(&server, &format!("/runs/{run}/tasks/job"));
    assert_eq!(
        (&task["progress"]["percent"], &task["checkpoint"]),
        (&json!(40.0), &json!({"epoch": 25}))
    );
    let done = json!({"output": {"accuracy": 0.9}});
    assert_eq!(work.report(&server, "TASK_SUCCESS", &done).status, 202);
    let again = work.report(&server, "TASK_SUCCESS", &done);
    assert_eq!((again.status, &again.json()["recorded"]), (200, &json!(false)));
    eventually("the run ends", || {
        (get(&server, &format!("/runs/{run}"))["status"] == "SUCCESS").then_some(())
    });
    assert_eq!(
        work.report(&server, "TASK_FAILURE", &json!({"error": {"message": "late"}}))
            .code(),
        "attempt.stale"
    );
}

#[test]
fn a_stale_attempt_is_told_to_stop_and_a_wrong_token_learns_nothing() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let (server, run) = start(folder.path());
    let first = attempt(folder.path(), &run, 1, 1);
    assert_eq!(
        first.report(&server, "TASK_FAILURE", &json!({})).code(),
        "request.malformed"
    );
    let rerun = Request::new("POST", &format!("/runs/{run}/tasks/job/rerun")).send(&server.endpoint);
    assert_eq!(rerun.status, 200, "{}", rerun.json());
    let stale = first.report(&server, "TASK_SUCCESS", &json!({"output": 1}));
    assert_eq!((stale.status, stale.code().as_str()), (409, "attempt.stale"));
    let second = attempt(folder.path(), &run, 2, 1);
    let mixed = Attempt {
        token: first.token.clone(),
        path: second.path.clone(),
        ..second
    };
    assert_eq!(
        mixed.report(&server, "TASK_SUCCESS", &json!({})).code(),
        "attempt.bad-token"
    );
    let elsewhere = Attempt {
        path: "/runs/00000000000000000000000000/tasks/job/events".to_owned(),
        ..first
    };
    assert_eq!(
        elsewhere.report(&server, "TASK_SUCCESS", &json!({})).code(),
        "attempt.bad-token"
    );
    let second = attempt(folder.path(), &run, 2, 1);
    let body = json!({"type": "TASK_FAILURE", "epoch": 2, "attempt": 1, "error": {"class": "permanent", "message": "no"}});
    let bearer = format!("Bearer {}", second.token);
    let by_header = Request::new("POST", &second.path).header("authorization", &bearer);
    assert_eq!(
        by_header.json(&body.to_string()).send(&server.endpoint).status,
        202
    );
    eventually("the run fails", || {
        (get(&server, &format!("/runs/{run}"))["status"] == "FAILED").then_some(())
    });
}
