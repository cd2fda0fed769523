//! Checkpoints when everything is killed: a server in the middle of saving or restoring one, and with it the agent that is
//! writing the next.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirEntryExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tests::requests::Request;
use tests::server::{Server, eventually};

/// Counts to `STEPS`, saving every step, and refuses to go on from anything that does not belong together.
const AGENT: &str = r#"
import json, os, pathlib, sys, time

folder = pathlib.Path(os.environ["ORCHESTRATOR_CHECKPOINT_DIR"])
files = {"weights": 4 << 20, "deep/more": 1000}

def put(name, content):
    part = folder / (name + ".part")
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(content)
    os.replace(part, folder / name)

step = 0
if os.listdir(folder):
    step = json.loads((folder / "checkpoint.json").read_text())["step"]
    for name, size in files.items():
        if (folder / name).read_bytes() != bytes([step]) * size:
            error = {"class": "permanent", "message": f"step {step}: {name} does not belong to it"}
            pathlib.Path(os.environ["ORCHESTRATOR_OUTPUT"]).write_text(json.dumps({"error": error}))
            sys.exit(1)
with open(os.environ["STARTS"], "a") as starts:
    starts.write(f"{step}\n")
while not os.path.exists(os.environ["ENOUGH"]):
    step += 1
    for name, size in files.items():
        put(name, bytes([step]) * size)
    put("checkpoint.json", json.dumps({"step": step}).encode())
    time.sleep(0.15)
"#;

const WORKFLOW: &str = "name: counting\ntasks: [{id: count, agent: counter, action: run}]";

/// What is in a folder under names such as these, told apart by more than its name.
fn found(folder: &Path, is_it: impl Fn(&str) -> bool) -> BTreeSet<(String, u64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.ino())));
    named.filter(|(name, _)| is_it(name)).collect()
}

fn count_lines(file: &Path) -> usize {
    fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

#[test]
fn what_was_being_saved_or_restored_when_everything_was_killed_is_never_used() {
    let place = tempfile::tempdir().expect("there is a temporary directory");
    let path = |name: &str| place.path().join(name);
    let configuration = json!({
        "master_orchestrator": {"decision": {"retry": {"max_retries": 3, "backoff_base_s": 0.01, "backoff_max_s": 0.02}}},
        "agents": {"counter": {
            "command": ["python3", "counter.py"],
            "env": {"STARTS": path("starts"), "ENOUGH": path("enough")},
        }},
    });
    fs::write(path("orchestrator.yaml"), configuration.to_string()).expect("it is writable");
    fs::write(path("counter.py"), AGENT).expect("it is writable");
    let start = || Server::start(&path("data"), &path("orchestrator.yaml"));
    let mut server = start();
    let reply = Request::new("POST", "/workflows")
        .yaml(WORKFLOW)
        .send(&server.endpoint);
    let run = reply.json()["id"].as_str().expect("a run has an id").to_owned();
    let task = format!("/runs/{run}/tasks/count");
    let folder = path(&format!("data/runs/{run}/tasks/count"));
    let ask = |server: &Server| -> Value { Request::new("GET", &task).send(&server.endpoint).json() };
    eventually("the first checkpoint", || {
        ask(&server)["checkpoints"].get(0).cloned()
    });
    let copies = || found(&folder.join("saved"), |name| name.starts_with("new-"));
    let fillings = || found(&folder, |name| name.ends_with(".making"));
    let mut starts = 0;
    for kill in 0..6 {
        let has_started = || (count_lines(&path("starts")) > starts).then_some(());
        let (old_copies, old_fillings) = (copies(), fillings());
        match kill % 3 {
            0 => {
                eventually("an attempt works", has_started);
                eventually("a checkpoint is being saved", || {
                    (!copies().is_subset(&old_copies)).then_some(())
                });
            }
            // It lasts for a moment only, which may have passed.
            1 => eventually("a checkpoint is being restored", || {
                (!fillings().is_subset(&old_fillings))
                    .then_some(())
                    .or_else(has_started)
            }),
            _ => eventually("an attempt works", has_started),
        }
        server.kill();
        starts = count_lines(&path("starts"));
        server = match kill % 3 {
            0 => Server::spawn(&path("data"), &path("orchestrator.yaml"), &[]),
            _ => start(),
        };
    }
    let before = ask(&server)["checkpoint"]["step"].as_u64();
    eventually("it goes on", || {
        (ask(&server)["checkpoint"]["step"].as_u64() > before).then_some(())
    });
    fs::write(path("enough"), "").expect("it is writable");
    let task = eventually("it ends", || {
        Some(ask(&server)).filter(|task| task["status"] != "RUNNING")
    });
    assert_eq!(task["status"], "SUCCESS", "{task}");
    assert_eq!(
        task["attempts"]
            .as_array()
            .and_then(|attempts| attempts.last())
            .map(|last| &last["error"]),
        Some(&Value::Null)
    );
    let starts = fs::read_to_string(path("starts")).expect("it has started");
    let starts: Vec<u64> = starts
        .lines()
        .map(|line| line.parse().expect("a number"))
        .collect();
    assert!(starts.len() > 3 && starts[0] == 0 && starts[1] > 0, "{starts:?}");
    assert!(starts.is_sorted(), "an attempt went back: {starts:?}");
}
