//! A real server is killed with SIGKILL in the middle of its work, again and again, and started again on the same
//! data directory. What it acknowledged must happen, once.
//!
//! `cargo xtask crash --kills 50 --seed S` kills more often. The seed decides the moments and the workflows; it is
//! printed. How far the server has got at such a moment is up to the machine.

mod checks;
mod load;
mod place;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::json;
use tests::process::{is_alive, recorded};
use tests::server::{ask, eventually, run};

use checks::{all_runs, ends_in_success, no_slot_is_used, successes};
use load::{Load, Random, StopAtEnd, workflow};
use place::Place;

/// How often the server is killed.
const KILLS: &str = "ORCHESTRATOR_TEST_KILLS";

/// Where the sequence of moments and workflows starts.
const SEED: &str = "ORCHESTRATOR_TEST_SEED";

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}='{text}' is not a number"))
    })
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
    let parent = eventually("the agent runs", || recorded(&marks.join("parent")));
    let child = recorded(&marks.join("child")).expect("the agent writes this mark first");
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
