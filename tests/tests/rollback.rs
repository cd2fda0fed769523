//! Taking runs back on a real server: what works is stopped for real, and nothing is lost when the server is killed.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::process::{is_alive, recorded};
use tests::requests::{Reply, Request};
use tests::server::{Server, eventually};

/// `endless` works until it is stopped, and so does its child. `cleaner` undoes nothing until the file `go` is there: asked to
/// `fail` it fails, otherwise it waits.
const CONFIGURATION: &str = r#"
master_orchestrator: {decision: {retry: {max_retries: 0, backoff_base_s: 0.01, backoff_max_s: 0.02}}}
agents:
  endless: {command: [sh, -c, 'sleep 600 & echo $! > "mark.new"; mv mark.new mark; wait']}
  cleaner:
    command:
      - sh
      - -c
      - |
        test -e go && exit 0
        grep -q '"action":"fail"' "$ORCHESTRATOR_ENVELOPE" && exit 1
        sleep 600 & echo $! > "mark.new"; mv mark.new mark; wait
"#;

struct Place {
    folder: tempfile::TempDir,
    server: Server,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("there is a temporary directory");
        let configuration = folder.path().join("orchestrator.yaml");
        std::fs::write(&configuration, CONFIGURATION).expect("the folder is writable");
        let server = Server::start(&folder.path().join("data"), &configuration);
        Place { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a run and gives its path.
    fn submit(&self, workflow: &str) -> String {
        let reply = Request::new("POST", "/workflows")
            .yaml(workflow)
            .send(&self.server.endpoint);
        format!("/runs/{}", reply.json()["id"].as_str().expect("a run has an id"))
    }

    fn get(&self, path: &str) -> Value {
        Request::new("GET", path).send(&self.server.endpoint).json()
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        Request::new("POST", path)
            .json(&body.to_string())
            .send(&self.server.endpoint)
    }

    fn await_status(&self, path: &str, status: &str) -> Value {
        eventually(&format!("{path} becomes {status}"), || {
            let view = self.get(path);
            (view["status"] == status).then_some(view)
        })
    }

    /// The process that an agent has started, once it has.
    fn process(&self) -> String {
        let mark = self.path("mark");
        let process = eventually("the agent works", || recorded(&mark));
        std::fs::remove_file(mark).expect("it was there");
        process
    }

    /// `RUN_ROLLED_BACK`, `TASK_READY b`, ... in order.
    fn history(&self, run: &str) -> Vec<String> {
        let page = self.get(&format!("{run}/events?limit=10000"));
        let events = page["events"].as_array().expect("a run has events");
        let brief = |event: &Value| {
            let kind = event["type"].as_str().unwrap_or_default();
            match event["task"].as_str() {
                Some(task) => format!("{kind} {task}"),
                None => kind.to_owned(),
            }
        };
        events.iter().map(brief).collect()
    }
}

fn await_end(process: &str) {
    eventually("the process is gone", || (!is_alive(process)).then_some(()));
}

fn envelope(data: &Path, run: &str, file: &str) -> Value {
    let file = data.join(&run[1..]).join("tasks").join(file);
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).expect("an envelope")
}

#[test]
fn a_running_command_is_stopped_with_its_children_and_its_late_success_is_refused() {
    let place = Place::new();
    let run = place.submit(
        "name: live\ntasks: [{id: first, agent: noop, action: run}, {id: job, agent: endless, action: run, depends_on: [first]}]",
    );
    let process = place.process();
    place.await_status(&format!("{run}/tasks/job"), "RUNNING");
    let preview = place
        .post(&format!("{run}/rollback"), &json!({"steps": 1, "dry_run": true}))
        .json();
    let stops = json!([{"task": "job", "epoch": 1, "attempt": 1}]);
    assert_eq!(
        (&preview["applied"], &preview["plan"]["tasks"][1]["stops"]),
        (&json!(false), &stops)
    );
    let token = &preview["plan"]["plan_token"];
    let body = json!({"steps": 1, "reason": "wrong data", "plan_token": token});
    let applied = place.post(&format!("{run}/rollback"), &body).json();
    assert_eq!(
        (&applied["applied"], &applied["plan"]),
        (&json!(true), &preview["plan"])
    );
    await_end(&process);

    let late = envelope(&place.path("data"), &run, "job/1-1.envelope.json");
    let late =
        json!({"type": "TASK_SUCCESS", "epoch": 1, "attempt": 1, "token": late["token"], "output": "late"});
    assert_eq!(
        place.post(&format!("{run}/tasks/job/events"), &late).code(),
        "attempt.stale"
    );
    let again = place.process();
    let task = place.await_status(&format!("{run}/tasks/job"), "RUNNING");
    assert_eq!(
        (&task["epoch"], &task["attempts"][0]["status"]),
        (&json!(2), &json!("CANCELLED"))
    );
    let page = place.get(&format!("{run}/events?limit=10000"));
    let events = page["events"].as_array().expect("a run has events");
    let is_late = |event: &&Value| event["type"] == "REPORT_REFUSED" && event["report"] == "TASK_SUCCESS";
    assert_eq!(events.iter().filter(is_late).count(), 1);
    // Asked for again, as after an answer that was lost, nothing is taken back twice.
    assert_eq!(
        place.post(&format!("{run}/rollback"), &body).code(),
        "rollback.plan-changed"
    );
    assert!(is_alive(&again));
    place.post(&format!("{run}/cancel"), &json!({}));
    await_end(&again);
}

#[test]
fn a_server_that_is_killed_while_it_undoes_something_goes_on_and_undoes_it_before_anything_is_done_again() {
    let mut place = Place::new();
    let run = place.submit(
        "name: undone\ntasks: [{id: a, agent: noop, action: run, params: {output: {file: x}}, \
         compensate: {agent: cleaner, action: remove, params: {file: '${tasks.a.output.file}'}}}, \
         {id: b, agent: noop, action: run, depends_on: [a]}]",
    );
    place.await_status(&run, "SUCCESS");
    let body = json!({"to_task": "a", "reason": "it was wrong"});
    assert_eq!(place.post(&format!("{run}/rollback"), &body).status, 200);
    let process = place.process();
    let view = place.get(&run);
    assert_eq!(
        view["counts"],
        json!({"PENDING": 2}),
        "nothing is done again yet: {view}"
    );
    assert_eq!(
        (&view["rollback"]["state"], &view["rollback"]["action"]),
        (&json!("compensating"), &json!("undo:a#1"))
    );
    let undo = envelope(&place.path("data"), &run, "undo%3Aa%231/1-1.envelope.json");
    assert_eq!(
        (&undo["action"], &undo["params"]),
        (&json!("remove"), &json!({"file": "x"}))
    );
    let second = place.post(&format!("{run}/rollback"), &body);
    assert_eq!(second.code(), "rollback.unfinished");

    place.server.kill();
    std::fs::write(place.path("go"), "").expect("the folder is writable");
    place.server = Server::start(&place.path("data"), &place.path("orchestrator.yaml"));
    place.await_status(&run, "SUCCESS");
    await_end(&process);
    let history = place.history(&run);
    let count = |wanted: &str| history.iter().filter(|event| *event == wanted).count();
    assert_eq!(
        (
            count("RUN_ROLLED_BACK"),
            count("TASK_SUCCEEDED undo:a#1"),
            count("TASK_RESET a"),
            count("TASK_SUCCEEDED a")
        ),
        (1, 1, 1, 2),
        "{history:#?}"
    );
    let last = |wanted: &str| history.iter().rposition(|event| event == wanted);
    assert!(
        last("TASK_SUCCEEDED undo:a#1") < last("TASK_READY a"),
        "{history:#?}"
    );
    let list = place.get(&format!("{run}/rollbacks"));
    let rollback = &list["rollbacks"][0];
    assert_eq!(
        (
            &rollback["state"],
            &rollback["by"],
            &rollback["reason"],
            &rollback["undone"]
        ),
        (&json!("done"), &json!("local"), &json!("it was wrong"), &json!(1))
    );
    assert_eq!(
        rollback["plan"]["compensations"][0]["params"],
        json!({"file": "x"})
    );
}

#[test]
fn what_cannot_be_undone_stops_the_rollback_in_a_stated_place_and_resume_tries_it_again() {
    let place = Place::new();
    let run = place.submit(
        "name: stopped\ntasks: [{id: a, agent: noop, action: run, compensate: {agent: cleaner, action: fail}}]",
    );
    place.await_status(&run, "SUCCESS");
    place.post(
        &format!("{run}/rollback"),
        &json!({"steps": 1, "reason": "it was wrong"}),
    );
    let view = place.await_status(&run, "PAUSED");
    assert_eq!(
        (&view["rollback"]["state"], &view["rollback"]["action"]),
        (&json!("stopped"), &json!("undo:a#1"))
    );
    let why = place.get(&format!("{run}/tasks/a/explain"));
    assert_eq!(
        why["answer"],
        "'a' waits until 'undo:a#1' has undone what was done."
    );
    let why = place.get(&format!("{run}/tasks/undo%3Aa%231/explain"));
    assert!(
        why["next_steps"].to_string().contains("orchestrator resume"),
        "{why}"
    );

    std::fs::write(place.path("go"), "").expect("the folder is writable");
    place.post(&format!("{run}/resume"), &json!({}));
    place.await_status(&run, "SUCCESS");
    let undo = place.get(&format!("{run}/tasks/undo%3Aa%231"));
    assert_eq!((&undo["status"], &undo["epoch"]), (&json!("SUCCESS"), &json!(2)));
    assert_eq!(place.get(&format!("{run}/tasks/a"))["epoch"], 2);
}
