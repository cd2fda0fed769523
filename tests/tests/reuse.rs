//! Results that are reused, as a user sees them: from one process to the next, across `kill -9`, and back.

use std::path::PathBuf;

use serde_json::{Value, json};
use tests::requests::Request;
use tests::server::{Server, ask, eventually, run};

/// Writes down that it was asked, and answers with its parameters. Asked to `linger` it never ends.
const SCRIPT: &str = "\
echo \"$ORCHESTRATOR_TASK_ID\" >> asked
grep -q '\"action\":\"linger\"' \"$ORCHESTRATOR_ENVELOPE\" && sleep 1000
echo '{\"version\": 1}' > \"$ORCHESTRATOR_OUTPUT\"
";

const TWO: &str = "\
name: two
inputs: {day: 1}
tasks:
  - {id: load, agent: worker, action: load, params: {day: '${inputs.day}'}, cache: true}
  - {id: use, agent: worker, action: use, depends_on: [load]}
";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("there is a temporary directory"));
        place.write(
            "orchestrator.yaml",
            "agents: {worker: {command: [sh, worker.sh]}}",
        );
        place.write("worker.sh", SCRIPT);
        place.write("two.yaml", TWO);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the folder is writable");
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The tasks that the agent was asked to do since the last call.
    fn asked(&self) -> Vec<String> {
        let asked = std::fs::read_to_string(self.path("asked")).unwrap_or_default();
        self.write("asked", "");
        asked.lines().map(str::to_owned).collect()
    }

    /// `orchestrator run two.yaml` with these flags, to its end.
    fn run(&self, flags: &[&str]) -> Value {
        let file = self.text("two.yaml");
        let view = ask(&self.path("data"), &[&["run", &file][..], flags].concat());
        assert_eq!(view["status"], "SUCCESS", "{view}");
        view
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        ask(&self.path("data"), arguments)
    }

    fn serve(&self) -> Server {
        Server::start(&self.path("data"), &self.path("orchestrator.yaml"))
    }
}

fn id(view: &Value) -> &str {
    view["id"].as_str().expect("a run has an id")
}

#[test]
fn the_second_run_is_answered_by_the_first_and_says_so() {
    let place = Place::new();
    let first = place.run(&[]);
    assert_eq!(place.asked(), ["load", "use"]);
    let second = place.run(&[]);
    assert_eq!(place.asked(), ["use"]);
    let (first, second) = (id(&first), id(&second));
    let task = place.ask(&["get", second, "load"]);
    assert_eq!(
        (&task["attempts_total"], &task["output"]),
        (&json!(0), &json!({"version": 1}))
    );
    let cache = &task["cache"];
    assert_eq!(
        (
            &cache["outcome"],
            &cache["from"]["run_id"],
            &cache["from"]["task"]
        ),
        (&json!("hit"), &json!(first), &json!("load")),
        "{task}"
    );
    let explained = place.ask(&["explain", second, "load"]);
    let answer = explained["answer"].as_str().unwrap_or_default();
    assert!(
        answer.contains("without having run") && answer.contains(first),
        "{answer}"
    );
    let events = place.ask(&["events", second]);
    let events = events["events"].as_array().expect("a list");
    let kinds: Vec<&str> = events
        .iter()
        .filter(|event| event["task"] == "load")
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(kinds, ["TASK_READY", "TASK_REUSED"]);
    let trace = place.ask(&["trace", second]);
    assert_eq!(
        (&trace["tasks"][0]["id"], &trace["tasks"][0]["is_cached"]),
        (&json!("load"), &json!(true))
    );
}

#[test]
fn what_is_not_the_same_is_done() {
    let place = Place::new();
    place.run(&[]);
    place.asked();
    let other_client = ["--client", "somebody"];
    for (what, flags) in [
        ("another input", &["--input", "day=2"][..]),
        ("another client", &other_client[..]),
        ("everything, if asked for", &["--no-cache"][..]),
    ] {
        place.run(flags);
        assert_eq!(place.asked(), ["load", "use"], "{what}");
        place.run(if what.starts_with("everything") {
            &[]
        } else {
            flags
        });
        assert_eq!(place.asked(), ["use"], "{what}, again");
    }
    place.write("worker.sh", &format!("{SCRIPT}# changed\n"));
    place.run(&[]);
    assert_eq!(place.asked(), ["load", "use"], "a changed script");
    let with_version = "agents: {worker: {command: [sh, worker.sh], version: '2'}}";
    place.write("orchestrator.yaml", with_version);
    place.run(&[]);
    assert_eq!(place.asked(), ["load", "use"], "another version");
}

#[test]
fn results_are_counted_and_cleared() {
    let place = Place::new();
    place.run(&[]);
    let server = place.serve();
    place.run(&[]);
    let stats = place.ask(&["cache", "stats"]);
    assert_eq!(
        (&stats["results_kept"], &stats["result_lookups"]),
        (&json!(1), &json!({"hit": 1})),
        "{stats}"
    );
    let metrics = Request::new("GET", "/metrics").send(&server.endpoint);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let line = "orchestrator_task_cache_lookups_total{outcome=\"hit\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    let cleared = place.ask(&["cache", "clear"]);
    assert_eq!(cleared["results"], 1, "{cleared}");
    place.asked();
    place.run(&[]);
    assert_eq!(place.asked(), ["load", "use"]);
}

#[test]
fn a_rollback_really_does_it_again_and_what_it_does_is_what_it_says() {
    let place = Place::new();
    let server = place.serve();
    place.run(&[]);
    let second = place.run(&[]);
    place.asked();
    let path = format!("/runs/{}/rollback", id(&second));
    let roll_back = |body: &Value| {
        let body = body.to_string();
        Request::new("POST", &path)
            .json(&body)
            .send(&server.endpoint)
            .json()
    };
    let preview = roll_back(&json!({"to_task": "load", "dry_run": true}));
    let tasks = preview["plan"]["tasks"].as_array().expect("a list");
    let drops: Vec<bool> = tasks.iter().map(|task| task["drops_cached"] == true).collect();
    assert_eq!(drops, [true, false], "{preview}");
    let token = &preview["plan"]["plan_token"];
    roll_back(&json!({"to_task": "load", "reason": "wrong", "plan_token": token}));
    eventually("it is done again", || {
        let view = place.ask(&["get", id(&second)]);
        (view["status"] == "SUCCESS" && view["tasks"][0]["epoch"] == 2).then_some(())
    });
    assert_eq!(place.asked(), ["load", "use"]);
    let task = place.ask(&["get", id(&second), "load"]);
    assert_eq!(task["cache"]["outcome"], "taken_back", "{task}");
    let third = place.run(&[]);
    let task = place.ask(&["get", id(&third), "load"]);
    assert_eq!(
        (&task["cache"]["from"]["run_id"], &task["cache"]["from"]["epoch"]),
        (&json!(id(&second)), &json!(2)),
        "the new result took the place of the old one"
    );
}

#[test]
fn results_outlive_a_server_that_is_killed_and_so_does_what_was_reused() {
    let place = Place::new();
    let mut server = place.serve();
    place.run(&[]);
    place.asked();
    let lingering = json!({"name": "lingering", "tasks": [
        {"id": "load", "agent": "worker", "action": "load", "params": {"day": 1}, "cache": true},
        {"id": "linger", "agent": "worker", "action": "linger", "depends_on": ["load"]},
    ]});
    // The inputs of a run are part of what its tasks are given: this one has none.
    let first = server.submit(&lingering);
    let asked = |task: &str| {
        let asked = std::fs::read_to_string(place.path("asked")).unwrap_or_default();
        asked.lines().any(|line| line == task).then_some(())
    };
    eventually("the agent works", || asked("linger"));
    place.asked();
    server.kill();
    let server = place.serve();
    eventually("it goes on", || asked("linger"));
    assert_eq!(place.asked(), ["linger"], "what was done stays done");
    let second = server.submit(&lingering);
    eventually("the other one goes on", || asked("linger"));
    assert_eq!(
        place.asked(),
        ["linger"],
        "what was kept before the kill is reused"
    );
    let task = place.ask(&["get", &second, "load"]);
    assert_eq!(task["cache"]["from"]["run_id"], json!(first), "{task}");
    for run_id in [&first, &second] {
        run(&place.path("data"), &["cancel", run_id, "--reason", "enough"]);
    }
}
