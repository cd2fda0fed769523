//! A real server is killed with SIGKILL in the middle of its work, again and again, and started again on the same
//! data directory. What it acknowledged must happen, once.
//!
//! `cargo xtask crash --kills 50 --seed S` kills more often. The seed decides the moments and the workflows; it is
//! printed. How far the server has got at such a moment is up to the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::http::Endpoint;
use tests::server::{Server, ask, eventually, run};

/// How often the server is killed.
const KILLS: &str = "ORCHESTRATOR_TEST_KILLS";

/// Where the sequence of moments and workflows starts.
const SEED: &str = "ORCHESTRATOR_TEST_SEED";

/// Runs that are open at a time, so that the load does not outgrow the machine.
const OPEN_MAX: usize = 60;

/// Numbers drawn from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}='{text}' is not a number"))
    })
}

/// A data directory, its configuration, and a folder for the agents' marks.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        let configuration = json!({
            "master_orchestrator": {
                "decision": {
                    "retry": {"max_retries": 100, "backoff_base_s": 0.01, "backoff_max_s": 0.05},
                    "resource_limits": {"max_concurrent_gpu_tasks": 2, "max_concurrent_cpu_tasks": 8},
                },
                "intake": {"requests_per_minute": 1_000_000, "requests_per_hour": 10_000_000, "burst": 100_000},
            },
            "agents": {
                "nothing": {"builtin": "noop"},
                "ml_agent": {"builtin": "noop"},
                "rest": {"builtin": "sleep"},
                "true": {"command": ["/bin/true"]},
                "script": {"command": ["/bin/sh", "-c", SCRIPT]},
                "stuck_once": {"command": ["/bin/sh", "-c", STUCK_ONCE], "env": {"MARKS": marks(&folder)}},
            },
        });
        fs::write(folder.path().join("orchestrator.yaml"), configuration.to_string())
            .expect("it is writable");
        fs::create_dir(folder.path().join("marks")).expect("it is writable");
        Place { folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("orchestrator.yaml")
    }

    fn start(&self) -> Server {
        Server::start(&self.data(), &self.configuration())
    }

    fn spawn(&self) -> Server {
        Server::spawn(&self.data(), &self.configuration(), &[])
    }
}

fn marks(folder: &TempDir) -> String {
    folder.path().join("marks").to_string_lossy().into_owned()
}

/// Works for a moment, then says which attempt it was.
const SCRIPT: &str =
    r#"sleep 0.05; printf '{"attempt": %s}' "$ORCHESTRATOR_ATTEMPT" > "$ORCHESTRATOR_OUTPUT""#;

/// Never ends the first time, and has a child that does not either; succeeds the next time.
const STUCK_ONCE: &str = r#"
if [ -e "$MARKS/parent" ]; then exit 0; fi
sleep 1000 & echo $! > "$MARKS/child"
echo $$ > "$MARKS/parent.new"; mv "$MARKS/parent.new" "$MARKS/parent"
wait
"#;

/// One of a few kinds of workflows. All of them succeed, however often their agents are interrupted.
fn workflow(kind: u64) -> Value {
    let task = |id: &str, agent: &str, depends_on: &[&str]| json!({"id": id, "agent": agent, "action": "work", "depends_on": depends_on});
    let rest = |id: &str, seconds: f64, depends_on: &[&str]| json!({"id": id, "agent": "rest", "action": "wait", "params": {"seconds": seconds}, "depends_on": depends_on});
    let (name, tasks) = match kind {
        0 => (
            "chain",
            vec![
                task("a", "nothing", &[]),
                task("b", "nothing", &["a"]),
                task("c", "nothing", &["b"]),
            ],
        ),
        1 => (
            "diamond",
            vec![
                task("a", "nothing", &[]),
                task("b", "ml_agent", &["a"]),
                task("c", "ml_agent", &["a"]),
                task("d", "ml_agent", &["a"]),
                task("e", "nothing", &["b", "c", "d"]),
            ],
        ),
        2 => (
            "naps",
            vec![
                rest("a", 0.02, &[]),
                rest("b", 0.1, &[]),
                rest("c", 0.01, &["a", "b"]),
            ],
        ),
        3 => (
            "programs",
            vec![
                task("a", "true", &[]),
                task("b", "script", &["a"]),
                task("c", "true", &["b"]),
            ],
        ),
        _ => {
            let each = json!({"id": "each", "agent": "nothing", "action": "work", "for_each": "[1, 2, 3, 4]", "depends_on": ["a"]});
            (
                "fan",
                vec![task("a", "true", &[]), each, task("z", "nothing", &["each"])],
            )
        }
    };
    json!({"name": name, "tasks": tasks})
}

/// What several threads know about the load.
struct Load {
    endpoint: Mutex<Endpoint>,
    stop: AtomicBool,
    /// The run of every acknowledged submission, by its key.
    acknowledged: Mutex<BTreeMap<String, String>>,
}

impl Load {
    /// Submits workflows until it is told to stop. What is not acknowledged is sent again under the same key.
    fn submit(&self, name: &str, mut random: Random) {
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if self.open() >= OPEN_MAX {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            let key = format!("{name}-{number}");
            let body = workflow(random.below(5)).to_string();
            number += 1;
            let run = self.submit_until_acknowledged(&key, &body);
            let before = self
                .acknowledged
                .lock()
                .expect("no thread panics")
                .insert(key.clone(), run.clone());
            assert_eq!(before, None, "'{key}' was used twice");
            // The same again, as after a lost answer: it must be the same run.
            if random.below(4) == 0 {
                assert_eq!(
                    self.submit_until_acknowledged(&key, &body),
                    run,
                    "'{key}' started a second run"
                );
            }
        }
    }

    fn submit_until_acknowledged(&self, key: &str, body: &str) -> String {
        eventually("a submission is acknowledged", || {
            let endpoint = self.endpoint.lock().expect("no thread panics").clone();
            let Ok(answer) = endpoint.post("/workflows", &[("idempotency-key", key)], body) else {
                return None;
            };
            match answer.status {
                200 | 201 => Some(answer.body["id"].as_str().expect("a run has an id").to_owned()),
                429 | 503 => None,
                status => panic!("{status}: {}", answer.body),
            }
        })
    }

    /// Runs that have not ended, at least as far as a server says that can be asked.
    fn open(&self) -> usize {
        let endpoint = self.endpoint.lock().expect("no thread panics").clone();
        let page = endpoint.get("/runs?status=RUNNING&limit=100");
        page.map_or(0, |page| page.body["runs"].as_array().map_or(0, Vec::len))
    }
}

/// Tells the load to stop, also when a check fails: threads that go on would keep the test from ending.
struct StopAtEnd<'a>(&'a Load);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_was_acknowledged_happens_once_however_often_the_server_is_killed() {
    let kills = setting(KILLS, 5);
    let seed = setting(SEED, 1);
    println!("{kills} kills, seed {seed} (cargo xtask crash --kills {kills} --seed {seed})");
    let mut random = Random(seed);
    let place = Place::new();
    let mut server = place.start();
    let load = Load {
        endpoint: Mutex::new(server.endpoint.clone()),
        stop: AtomicBool::new(false),
        acknowledged: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&load);
        for name in ["one", "two"] {
            let (load, random) = (&load, Random(random.below(u64::MAX)));
            scope.spawn(move || load.submit(name, random));
        }
        for kill in 1..=kills {
            // Not a wait for anything: the moment is the point.
            let moment = Duration::from_millis(20 + random.below(600));
            std::thread::sleep(moment);
            let acknowledged = load.acknowledged.lock().expect("no thread panics").len();
            println!(
                "kill {kill} after {} ms, {acknowledged} runs acknowledged",
                moment.as_millis()
            );
            server.kill();
            if random.below(3) == 0 {
                // There is no bad moment to interrupt its recovery either.
                let mut half_started = place.spawn();
                std::thread::sleep(Duration::from_millis(random.below(60)));
                half_started.kill();
            }
            server = place.start();
            *load.endpoint.lock().expect("no thread panics") = server.endpoint.clone();
        }
    });
    let acknowledged = load.acknowledged.into_inner().expect("no thread panicked");
    assert!(!acknowledged.is_empty(), "the load never got through");
    for run in acknowledged.values() {
        ends_in_success(&server.endpoint, run);
    }
    let expected: BTreeSet<&str> = acknowledged.values().map(String::as_str).collect();
    let present = all_runs(&server.endpoint);
    assert_eq!(
        present.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        expected,
        "each key is one run"
    );
    let tasks: usize = acknowledged
        .values()
        .map(|run| successes(&server.endpoint, run))
        .sum();
    no_slot_is_used(&server.endpoint);
    server.kill();
    no_slot_is_used(&place.start().endpoint);
    println!(
        "{} runs, {tasks} tasks, each succeeded once; no slot is held",
        acknowledged.len()
    );
}

fn get(endpoint: &Endpoint, path: &str) -> Value {
    let answer = endpoint
        .get(path)
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

fn ends_in_success(endpoint: &Endpoint, run: &str) {
    let status = eventually("a run ends", || {
        let status = get(endpoint, &format!("/runs/{run}"))["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ["SUCCESS", "FAILED", "CANCELLED"]
            .contains(&status.as_str())
            .then_some(status)
    });
    assert_eq!(
        status,
        "SUCCESS",
        "{run}: {}",
        get(endpoint, &format!("/runs/{run}/events"))
    );
}

fn all_runs(endpoint: &Endpoint) -> Vec<String> {
    let mut runs = Vec::new();
    let mut path = "/runs?limit=100".to_owned();
    loop {
        let page = get(endpoint, &path);
        let ids = page["runs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|run| run["id"].as_str());
        runs.extend(ids.map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/runs?limit=100&cursor={cursor}"),
            None => return runs,
        }
    }
}

/// How many tasks the journal says succeeded; each of them once, and the run too.
fn successes(endpoint: &Endpoint, run: &str) -> usize {
    let mut seen = BTreeSet::new();
    let mut after = 0;
    loop {
        let page = get(endpoint, &format!("/runs/{run}/events?after={after}"));
        for event in page["events"].as_array().into_iter().flatten() {
            let kind = event["type"].as_str().unwrap_or_default();
            if ["TASK_SUCCEEDED", "GROUP_SUCCEEDED", "RUN_SUCCEEDED"].contains(&kind) {
                let what = event["task"].as_str().unwrap_or("the run").to_owned();
                assert!(
                    seen.insert(what.clone()),
                    "{run}: '{what}' succeeded twice: {event}"
                );
            }
        }
        if page["has_more"] != true {
            break;
        }
        after = page["next_after"].as_u64().expect("a page says where to go on");
    }
    assert!(seen.remove("the run"), "{run} has ended without saying so");
    seen.len()
}

fn no_slot_is_used(endpoint: &Endpoint) {
    eventually("no slot is used or waited for", || {
        let pools = get(endpoint, "/pools");
        let pools = pools["pools"]
            .as_array()
            .expect("there is a list of pools")
            .clone();
        pools
            .iter()
            .all(|pool| pool["used"] == 0 && pool["waiting"] == 0)
            .then_some(())
    });
}

#[test]
fn agents_of_a_killed_server_do_not_outlive_its_successor() {
    let place = Place::new();
    let mut server = place.start();
    let body = json!({"name": "stuck", "tasks": [{"id": "a", "agent": "stuck_once", "action": "work"}]});
    let answer = server
        .endpoint
        .post("/workflows", &[], &body.to_string())
        .expect("the server answers");
    assert_eq!(answer.status, 201, "{}", answer.body);
    let run = answer.body["id"].as_str().expect("a run has an id").to_owned();
    let marks = place.folder.path().join("marks");
    let parent = eventually("the agent runs", || process(&marks.join("parent")));
    let child = process(&marks.join("child")).expect("the agent writes this mark first");
    assert!(
        is_alive(&parent) && is_alive(&child),
        "the agent runs until it is stopped"
    );
    server.kill();

    let server = place.start();
    eventually("the agent is gone", || {
        (!is_alive(&parent) && !is_alive(&child)).then_some(())
    });
    ends_in_success(&server.endpoint, &run);
    assert_eq!(successes(&server.endpoint, &run), 1);
    no_slot_is_used(&server.endpoint);
}

/// The process that left its id in this file.
fn process(mark: &Path) -> Option<String> {
    let text = fs::read_to_string(mark).ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

/// Whether a process exists and is more than an entry that nobody has fetched.
fn is_alive(process: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = status.rsplit(") ").next().and_then(|rest| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

#[test]
fn a_data_directory_has_one_owner_at_a_time_and_can_be_read_without() {
    let place = Place::new();
    let data = place.data();
    let mut server = place.start();
    let second = run(&data, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(!second.status.success(), "a second server took the directory");
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        message.contains(&server.pid().to_string()),
        "who has it? {message}"
    );

    let body = workflow(0).to_string();
    let answer = server
        .endpoint
        .post("/workflows", &[], &body)
        .expect("the server answers");
    let id = answer.body["id"].as_str().expect("a run has an id").to_owned();
    ends_in_success(&server.endpoint, &id);
    server.kill();

    assert_eq!(
        ask(&data, &["list"])["runs"][0]["id"],
        *id,
        "what the dead owner left behind is in the way"
    );
    assert_eq!(ask(&data, &["get", &id])["status"], "SUCCESS");
    let mut server = place.start();
    assert_eq!(
        ask(&data, &["list"])["runs"][0]["id"],
        *id,
        "asked through the new owner"
    );
    server.kill();
}
