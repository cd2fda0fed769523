//! Checkpoints of real commands: saved while they work, restored for the next attempt, never used when damaged.

use std::fs;
use std::path::{Path, PathBuf};

use super::common::{block_on, command, options, request, wait_for};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::rollback::{Request, Target};
use orchestrator_core::run::{Command, Event, RunState, RunStatus};
use orchestrator_embedded::{Change, Orchestrator, Reader};
use orchestrator_engine::ports::Journal as _;
use orchestrator_engine::record;
use orchestrator_engine::views::Replay;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

/// One task, done by a shell script.
struct Place {
    temp: tempfile::TempDir,
    orchestrator: Option<Orchestrator>,
    changes: Receiver<Change>,
    run: RunId,
}

/// Ends the script well, with what the directory holds and what the envelope says of it as output.
const TELL: &str = r#"
    tell() {
        cat "$ORCHESTRATOR_ENVELOPE" > told
        (cd "$ORCHESTRATOR_CHECKPOINT_DIR" && find . -type f | sort | while read -r file; do
            echo "$file $(head -c 20 "$file")"; done) > held
        exit 0
    }
    saved() { ls "$ORCHESTRATOR_CHECKPOINT_DIR/../saved" 2> /dev/null | grep -vc new-; }
    cd "$(dirname "$0")"
"#;

impl Place {
    fn new(script: &str, retries: u32) -> Place {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("agent.sh"), format!("{TELL}\n{script}")).unwrap();
        let orchestrator = start(temp.path());
        let changes = orchestrator.subscribe();
        let task = json!({"id": "t", "agent": "agent", "action": "work",
            "retry": {"max_retries": retries, "backoff_base_s": 0.0}});
        let request = request(&json!([task]));
        let run = request.run;
        block_on(orchestrator.submit(request)).unwrap();
        Place {
            temp,
            orchestrator: Some(orchestrator),
            changes,
            run,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn saved(&self) -> PathBuf {
        self.path(&format!("data/runs/{}/tasks/t/saved", self.run))
    }

    fn operate(&self, command: Command) {
        block_on(self.orchestrator.as_ref().unwrap().operate(self.run, command)).unwrap();
    }

    fn retry(&self) {
        self.operate(Command::Retry {
            by: "tester".to_owned(),
        });
    }

    fn wait_for_the_end(&mut self) -> RunStatus {
        wait_for(&mut self.changes, |change| change.has_ended).status
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..3_000 {
            if is_so() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{what}: not within 30 s");
    }

    /// Kills the process, as far as its data can tell, and starts another one.
    fn restart(&mut self) {
        drop(self.orchestrator.take());
        let orchestrator = start(self.temp.path());
        self.changes = orchestrator.subscribe();
        self.orchestrator = Some(orchestrator);
    }

    fn state(&self) -> RunState {
        let reader = Reader::open(&self.path("data")).unwrap();
        block_on(Replay::state_of(&reader, self.run)).unwrap().0
    }

    fn events(&self) -> Vec<Event> {
        let reader = Reader::open(&self.path("data")).unwrap();
        let appends = block_on(reader.load(self.run, 0)).unwrap();
        let events = appends
            .iter()
            .map(|append| record::decode(&append.record).unwrap().1);
        events.flatten().collect()
    }

    /// What the last attempt found in its directory.
    fn held(&self) -> String {
        fs::read_to_string(self.path("held")).unwrap()
    }

    /// What the last attempt was told.
    fn told(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("told")).unwrap()).unwrap()
    }
}

fn start(directory: &Path) -> Orchestrator {
    let mut options = options(directory);
    let script = directory.join("agent.sh");
    let agent = command(&["sh", script.to_str().unwrap()]);
    options.agents.insert("agent".to_owned(), agent);
    Orchestrator::start(options).unwrap()
}

/// Saves files and completes them, waits until they are taken, begins the next ones and is killed.
const KILLED_HALF_WAY: &str = r#"
    cd "$ORCHESTRATOR_CHECKPOINT_DIR"
    [ -e checkpoint.json ] && cd - && tell
    mkdir deep; echo first > deep/weights; echo '{"step": 1}' > new.tmp; mv new.tmp checkpoint.json
    until [ "$(saved)" -ge 3 ]; do sleep 0.02; done
    sleep 0.02; echo half > deep/weights; echo more > another
"#;

#[test]
fn half_a_checkpoint_of_a_killed_attempt_never_reaches_the_next_one() {
    for end in ["kill -9 $$", "exit 75", "exit 0"] {
        let mut place = Place::new(&format!("{KILLED_HALF_WAY}\n{end}"), 1);
        assert_eq!(place.wait_for_the_end(), RunStatus::Success);
        if end == "exit 0" {
            place.operate(Command::Rerun {
                node: place.state().find("t").unwrap(),
                by: "tester".to_owned(),
            });
            assert_eq!(place.wait_for_the_end(), RunStatus::Success);
        }
        assert_eq!(
            place.held(),
            "./checkpoint.json {\"step\": 1}\n./deep/weights first\n",
            "{end}"
        );
        let told = place.told();
        assert_eq!(told["checkpoint"], json!({"step": 1}));
        let from = &told["checkpoints"][0];
        assert_eq!(
            (&from["epoch"], &from["attempt"], &from["files"]["count"]),
            (&json!(1), &json!(1), &json!(2))
        );
        assert_eq!(told["checkpoint_problem"], Value::Null);
        let torn = place.events().into_iter().any(|event| {
            matches!(&event, Event::CheckpointRejected { rejected, .. }
                if rejected.files.is_none() && rejected.reason.contains("is newer than 'checkpoint.json'"))
        });
        assert!(torn, "it is told that the last one was not taken");
    }
}

#[test]
fn a_damaged_checkpoint_is_reported_and_the_one_before_is_used() {
    let script = r#"
        n=$(cat count 2> /dev/null || echo 0); echo $((n + 1)) > count
        [ "$n" -ge 2 ] && tell
        echo "weights $n" > "$ORCHESTRATOR_CHECKPOINT_DIR/weights"; exit 1
    "#;
    let mut place = Place::new(script, 0);
    assert_eq!(place.wait_for_the_end(), RunStatus::Failed);
    place.retry();
    assert_eq!(place.wait_for_the_end(), RunStatus::Failed);
    let damaged = fs::read_dir(place.saved())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let damaged = damaged.filter(|path| fs::read(path).unwrap() == b"weights 1\n");
    let damaged: Vec<_> = damaged.collect();
    assert_eq!(damaged.len(), 1);
    fs::write(&damaged[0], "weights 2\n").unwrap();
    place.retry();
    assert_eq!(place.wait_for_the_end(), RunStatus::Success);
    assert_eq!(place.held(), "./weights weights 0\n");
    let told = place.told();
    let problem = told["checkpoint_problem"].as_str().unwrap();
    assert_eq!(
        problem,
        "of the checkpoint of epoch 2, attempt 1, file 'weights' has another SHA-256 than what was saved; \
         the attempt starts from epoch 1, attempt 1"
    );
    assert_eq!(told["checkpoints"][0]["epoch"], 1);
    let rejections = place.events().into_iter().filter(
        |event| matches!(event, Event::CheckpointRejected { rejected, .. } if rejected.files.is_some()),
    );
    assert_eq!(rejections.count(), 1);
    let log = block_on(
        place
            .orchestrator
            .as_ref()
            .unwrap()
            .reader()
            .log(place.run, "t", None),
    );
    let log = String::from_utf8(log.unwrap().bytes).unwrap();
    assert!(log.contains("has another SHA-256"), "{log}");

    fs::remove_dir_all(place.saved()).unwrap();
    let node = place.state().find("t").unwrap();
    place.operate(Command::Rerun {
        node,
        by: "tester".to_owned(),
    });
    assert_eq!(place.wait_for_the_end(), RunStatus::Success);
    let told = place.told();
    assert_eq!(
        (place.held().as_str(), &told["checkpoint"], &told["checkpoints"]),
        ("", &Value::Null, &json!([]))
    );
    let problem = told["checkpoint_problem"].as_str().unwrap();
    assert!(
        problem.contains("the list of files is missing") && problem.ends_with("starts from the beginning"),
        "{problem}"
    );
}

#[test]
fn a_task_taken_back_starts_from_its_checkpoint_or_afresh_from_nothing() {
    let script = r#"
        [ -e again ] && tell
        touch again; echo done > "$ORCHESTRATOR_CHECKPOINT_DIR/weights"
    "#;
    let mut place = Place::new(script, 0);
    assert_eq!(place.wait_for_the_end(), RunStatus::Success);
    let take_back = |fresh| Command::Rollback {
        request: Request {
            target: Target::Steps(1),
            fresh,
        },
        token: None,
        by: "tester".to_owned(),
        reason: "not good enough".to_owned(),
    };
    place.operate(take_back(false));
    assert_eq!(place.wait_for_the_end(), RunStatus::Success);
    assert_eq!(place.held(), "./weights done\n");
    place.operate(take_back(true));
    assert_eq!(place.wait_for_the_end(), RunStatus::Success);
    let told = place.told();
    assert_eq!(
        (place.held().as_str(), &told["checkpoint"], &told["checkpoints"]),
        ("", &Value::Null, &json!([]))
    );
    assert!(
        fs::read_dir(place.saved()).unwrap().count() > 0,
        "what is on disk does not count"
    );
}

#[test]
fn what_a_lost_attempt_left_is_taken_in_its_epoch_and_removed_in_the_next() {
    let script = r#"
        [ -e again ] && tell
        echo state > "$ORCHESTRATOR_CHECKPOINT_DIR/state"; touch working; exec sleep 1000
    "#;
    let mut place = Place::new(script, 1);
    place.wait_until("it works", || place.path("working").exists());
    place.wait_until("its start is known", || {
        place
            .state()
            .node(place.state().find("t").unwrap())
            .started_at
            .is_some()
    });
    fs::write(place.path("again"), "").unwrap();
    place.restart();
    place.wait_until("it has ended", || place.state().status == RunStatus::Success);
    assert_eq!(place.held(), "./state state\n");

    let mut place = Place::new(script, 1);
    place.wait_until("it works", || place.path("working").exists());
    fs::write(place.path("again"), "").unwrap();
    let node = place.state().find("t").unwrap();
    place.operate(Command::Rerun {
        node,
        by: "tester".to_owned(),
    });
    assert_eq!(place.wait_for_the_end(), RunStatus::Success);
    assert_eq!(place.held(), "", "nothing of it was recorded");
}

#[test]
fn what_cannot_be_saved_is_reported_once_and_the_attempt_goes_on() {
    let script = r#"
        cd "$ORCHESTRATOR_CHECKPOINT_DIR"; ln -s /etc/passwd link; echo 1 > checkpoint.json
        sleep 3; echo '"done"' > "$ORCHESTRATOR_OUTPUT"
    "#;
    let mut place = Place::new(script, 0);
    assert_eq!(place.wait_for_the_end(), RunStatus::Success);
    let events = place.events();
    let reasons: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::CheckpointRejected { rejected, .. } => Some(rejected.reason.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        reasons,
        [
            "of the checkpoint directory, 'link' is a symbolic link (a checkpoint has files and directories only)"
        ]
    );
    assert_eq!(
        place.state().node(place.state().find("t").unwrap()).checkpoint,
        None
    );
}

#[test]
fn a_large_checkpoint_is_streamed() {
    let script = r#"
        cd "$ORCHESTRATOR_CHECKPOINT_DIR"
        if [ -e weights ]; then wc -c < weights > "$ORCHESTRATOR_OUTPUT"; exit 0; fi
        head -c 104857600 /dev/urandom > weights; echo 1 > checkpoint.json
        until [ "$(saved)" -ge 3 ]; do sleep 0.05; done; exit 75
    "#;
    let before = memory_peak_kb();
    let mut place = Place::new(script, 1);
    assert_eq!(place.wait_for_the_end(), RunStatus::Success);
    let state = place.state();
    let node = state.node(state.find("t").unwrap());
    assert_eq!(node.output.as_deref(), Some(&json!(104_857_600)));
    assert_eq!(
        node.checkpoint.as_deref().unwrap().files.unwrap().bytes,
        104_857_602
    );
    let grown = memory_peak_kb() - before;
    assert!(grown < 60_000, "it took {grown} KB of memory");
}

/// The most memory this process has used; 0 where the system does not tell.
fn memory_peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
