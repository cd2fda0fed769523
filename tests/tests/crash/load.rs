//! Workflows, submitted without a pause.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tests::http::Endpoint;
use tests::server::eventually;

/// Numbers drawn from a seed (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// Runs that are open at a time, so that the load does not outgrow the machine.
const OPEN_MAX: usize = 60;

/// One of a few kinds of workflows. All of them succeed, however often their agents are interrupted.
pub fn workflow(kind: u64) -> Value {
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
pub struct Load {
    pub endpoint: Mutex<Endpoint>,
    pub stop: AtomicBool,
    /// The run of every acknowledged submission, by its key.
    pub acknowledged: Mutex<BTreeMap<String, String>>,
}

impl Load {
    /// Submits workflows until it is told to stop. What is not acknowledged is sent again under the same key.
    pub fn submit(&self, name: &str, mut random: Random) {
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
pub struct StopAtEnd<'a>(pub &'a Load);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}
