//! `orchestrator agent exec`: the work of an attempt in a process of its own, with a real server to report to.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tests::binary::orchestrator;
use tests::process::{is_alive, recorded};
use tests::requests::Request;
use tests::server::{Server, eventually};

/// The server's own agent only waits: the work is done by `agent exec`, in its place.
const CONFIGURATION: &str = "
master_orchestrator: {decision: {retry: {max_retries: 3, backoff_base_s: 0.01, backoff_max_s: 0.02}}}
agents: {elsewhere: {command: [sleep, '600']}}
";
const WORKFLOW: &str = "name: exec\ntasks: [{id: job, agent: elsewhere, action: run, params: {rows: 10}}]";

/// Works until it is stopped, and so does its child.
const ENDLESS: &str = r#"sleep 600 & echo $! > "$MARK.new"; mv "$MARK.new" "$MARK"; wait"#;

struct Place {
    folder: tempfile::TempDir,
    server: Server,
    run: String,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("there is a temporary directory");
        let configuration = folder.path().join("orchestrator.yaml");
        std::fs::write(&configuration, CONFIGURATION).expect("the folder is writable");
        let server = Server::start(&folder.path().join("data"), &configuration);
        let reply = Request::new("POST", "/workflows")
            .yaml(WORKFLOW)
            .send(&server.endpoint);
        let run = reply.json()["id"].as_str().expect("a run has an id").to_owned();
        Place { folder, server, run }
    }

    fn mark(&self) -> PathBuf {
        self.folder.path().join("mark")
    }

    fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("checkpoints")
    }

    fn task(&self) -> Value {
        let path = format!("/runs/{}/tasks/job", self.run);
        Request::new("GET", &path).send(&self.server.endpoint).json()
    }

    fn envelope(&self, attempt: u32) -> Value {
        let file = format!("data/runs/{}/tasks/job/1-{attempt}.envelope.json", self.run);
        let file = self.folder.path().join(file);
        eventually("the envelope is written", || {
            serde_json::from_slice(&std::fs::read(&file).ok()?).ok()
        })
    }

    /// Starts `agent exec -- sh -c SCRIPT` with the envelope on its standard input.
    fn exec(&self, envelope: &Value, script: &str, checkpoints: Option<&Path>) -> Child {
        let mut command = orchestrator();
        command
            .args(["agent", "exec", "--endpoint"])
            .arg(format!("http://{}", self.server.endpoint.address))
            .args(["--", "sh", "-c", script])
            .env("MARK", self.mark())
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(folder) = checkpoints {
            command.env("ORCHESTRATOR_CHECKPOINT_DIR", folder);
        }
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin
            .write_all(envelope.to_string().as_bytes())
            .expect("it is read");
        child
    }
}

/// Its exit code and what it said.
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().expect("it is our child");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn a_checkpoint_reaches_the_next_attempt_and_its_output_the_run() {
    let place = Place::new();
    let save = r#"echo '{"fold": 3}' > "$ORCHESTRATOR_CHECKPOINT_DIR/checkpoint.json"; exit 75"#;
    let (code, said) = end(place.exec(&place.envelope(1), save, None));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("exited with code 75"), "{said}");
    assert_eq!(place.task()["checkpoint"], json!({"fold": 3}));

    let second = place.envelope(2);
    assert_eq!(second["checkpoint"], json!({"fold": 3}));
    let go_on = r#"
        grep -q '"rows":10' && grep -q '"rows":10' "$ORCHESTRATOR_ENVELOPE" || exit 1
        cat "$ORCHESTRATOR_CHECKPOINT_DIR/checkpoint.json" > "$ORCHESTRATOR_OUTPUT""#;
    let (code, said) = end(place.exec(&second, go_on, None));
    assert_eq!(code, Some(0), "{said}");
    let task = place.task();
    assert_eq!(
        (&task["status"], &task["output"]),
        (&json!("SUCCESS"), &json!({"fold": 3})),
        "{task}"
    );
    let (code, said) = end(place.exec(&second, "exit 0", None));
    assert_eq!(code, Some(4), "it is over: {said}");
}

#[test]
fn a_command_that_takes_too_long_is_stopped_with_everything_it_started() {
    let place = Place::new();
    let mut envelope = place.envelope(1);
    envelope["timeout_seconds"] = json!(0.3);
    let (code, said) = end(place.exec(&envelope, ENDLESS, None));
    assert_eq!(code, Some(1), "{said}");
    let reported = &place.task()["attempts"][0]["error"]["message"];
    assert_eq!(reported, "the command took longer than its 0.3 s and was stopped");
    // Where the machine is so slow that it was stopped before it began, there is nothing to look for.
    if let Some(child) = recorded(&place.mark()) {
        assert!(!is_alive(&child), "its child goes on");
    }
}

#[test]
fn a_signal_stops_the_command_and_is_reported() {
    let place = Place::new();
    let exec = place.exec(&place.envelope(1), ENDLESS, None);
    let child = eventually("the command works", || recorded(&place.mark()));
    let killed = Command::new("kill")
        .args(["-TERM", &exec.id().to_string()])
        .status();
    assert!(killed.expect("kill starts").success());
    let (code, said) = end(exec);
    assert_eq!(code, Some(1), "{said}");
    assert!(!is_alive(&child), "its child goes on");
    let error = &place.task()["attempts"][0]["error"];
    assert_eq!(error["class"], "transient", "{error}");
}

#[test]
fn an_attempt_that_is_no_longer_the_live_one_is_stopped_when_it_reports() {
    let place = Place::new();
    let folder = place.checkpoints();
    let exec = place.exec(&place.envelope(1), ENDLESS, Some(&folder));
    let child = eventually("the command works", || recorded(&place.mark()));
    let path = format!("/runs/{}/tasks/job/rerun", place.run);
    let rerun = Request::new("POST", &path).send(&place.server.endpoint);
    assert_eq!(rerun.status, 200, "{}", rerun.json());
    std::fs::write(folder.join("checkpoint.json"), "{\"fold\": 1}").expect("the folder is writable");
    let (code, said) = end(exec);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("stop working on it"), "{said}");
    assert!(!is_alive(&child), "its child goes on");
    assert_eq!(place.task()["checkpoint"], Value::Null);
}

#[test]
fn files_that_do_not_travel_are_reported() {
    let place = Place::new();
    let save = r#"cd "$ORCHESTRATOR_CHECKPOINT_DIR"; echo w > weights; echo 1 > checkpoint.json; exit 75"#;
    let (code, said) = end(place.exec(&place.envelope(1), save, None));
    assert_eq!(code, Some(1), "{said}");
    let path = format!("/runs/{}/events", place.run);
    let events = Request::new("GET", &path).send(&place.server.endpoint).json();
    let events = events["events"].as_array().expect("events").clone();
    let rejected = events.iter().find(|event| event["type"] == "CHECKPOINT_REJECTED");
    let reason = rejected.expect("it is recorded")["reason"]
        .as_str()
        .unwrap_or_default();
    assert!(
        reason.starts_with("'weights' is not saved: agent exec keeps only 'checkpoint.json'"),
        "{reason}"
    );

    let mut second = place.envelope(2);
    assert_eq!(second["checkpoint"], json!(1));
    let files = json!({"list": "0".repeat(64), "count": 1, "bytes": 1});
    let by = |attempt: u32| json!({"epoch": 1, "attempt": attempt, "saved_at": "2026-01-06T00:00:00Z"});
    let (mut first, mut before) = (by(2), by(1));
    first["files"] = files;
    before["value"] = json!({"fold": 1});
    second["checkpoints"] = json!([first, before]);
    second["checkpoint"] = json!({"fold": 2});
    let tell = r#"
        cat "$ORCHESTRATOR_CHECKPOINT_DIR/checkpoint.json" > "$ORCHESTRATOR_OUTPUT"
        grep -q '"checkpoint_problem":"the files of the last checkpoint are with the host' "$ORCHESTRATOR_ENVELOPE""#;
    let (code, said) = end(place.exec(&second, tell, None));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.task()["output"], json!({"fold": 1}));
}
