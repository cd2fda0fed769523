//! What is run: generated workflows and policies.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use orchestrator_core::policy::{AgentLimits, Policy, PolicyConfig, Surroundings};
use orchestrator_core::workflow::{self, Limits, Workflow};
use serde_json::{Map, Value, json};

use crate::random::Random;

mod deadlines;

pub use deadlines::{default_deadlines, has_deadlines};

/// Most tasks of a generated workflow.
const TASKS_MAX: u64 = 8;

/// One run to be submitted.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its workflow.
    pub workflow: Arc<Workflow>,
    /// Its canonical bytes.
    pub canonical: Arc<[u8]>,
    /// Who submits it.
    pub client: &'static str,
    /// Whether it waits for a place under the client's limit.
    pub needs_admission: bool,
    /// Priority of the run.
    pub priority: Option<u8>,
    /// Whether it wants everything done.
    pub is_fresh: bool,
}

/// Whether the tasks of a seed may be reused. Not drawn, so that it shifts nothing else.
fn reuses(seed: u64) -> bool {
    seed % 3 != 1
}

/// The job of a client, drawn from `random`.
///
/// # Panics
/// When the generated document is not valid: the generator is wrong.
pub fn job(random: &mut Random, seed: u64, client: u64) -> Job {
    let mut document = document(random);
    if reuses(seed) {
        let tasks = document["tasks"].as_array_mut().into_iter().flatten();
        tasks.for_each(|task| task["cache"] = json!(true));
    }
    if has_deadlines(seed) {
        deadlines::add_to(&mut document);
    }
    let text = document.to_string();
    let parsed = workflow::parse(text.as_bytes(), &Limits::api()).workflow;
    let workflow =
        parsed.unwrap_or_else(|problems| panic!("generated workflow is wrong: {problems:?}\n{text}"));
    Job {
        canonical: workflow.canonical().into(),
        workflow: Arc::new(workflow),
        client: if random.chance(500) { "ann" } else { "bob" },
        needs_admission: random.chance(400),
        priority: random
            .chance(300)
            .then(|| u8::try_from(random.range(1, 10)).unwrap_or(5)),
        is_fresh: (seed + client).is_multiple_of(7),
    }
}

fn document(random: &mut Random) -> Value {
    let count = random.range(1, TASKS_MAX);
    let density = u32::try_from(random.range(100, 600)).unwrap_or(500);
    let tasks: Vec<Value> = (0..count).map(|index| task(random, index, density)).collect();
    json!({"name": "generated", "tasks": tasks})
}

fn task(random: &mut Random, index: u64, density: u32) -> Value {
    let upstream: Vec<u64> = (0..index).filter(|_| random.chance(density)).collect();
    let mut task = Map::new();
    let mut set = |key: &str, value: Value| drop(task.insert(key.to_owned(), value));
    set("id", json!(format!("t{index}")));
    set(
        "agent",
        json!(random.pick(&["worker", "worker", "worker", "gpu_worker", "solo"])),
    );
    set(
        "action",
        json!(random.pick(&[
            "work", "work", "work", "work", "work", "blocked", "ask", "wait", "night"
        ])),
    );
    set(
        "depends_on",
        json!(upstream.iter().map(|up| format!("t{up}")).collect::<Vec<_>>()),
    );
    if !upstream.is_empty() {
        set(
            "trigger",
            json!(random.pick(&[
                "all_success",
                "all_success",
                "all_done",
                "any_success",
                "none_failed"
            ])),
        );
    }
    let mut loops = false;
    if random.chance(200) {
        let list = match upstream.is_empty() {
            false if random.chance(600) => format!("tasks.t{}.output", random.pick(&upstream)),
            _ => (*random.pick(&["[]", "[1]", "[1, 2]", "[1, 2, 3]"])).to_owned(),
        };
        set("for_each", json!(list));
        loops = true;
    }
    if !upstream.is_empty() && random.chance(150) {
        let up = random.pick(&upstream);
        set("when", json!(format!("tasks.t{up}.status == 'SUCCESS'")));
    }
    if random.chance(200) && !upstream.is_empty() {
        let up = *random.pick(&upstream);
        set("params", json!({"from": format!("${{tasks.t{up}.output[0]}}")}));
    } else if loops && random.chance(300) {
        set("params", json!({"item": "${item}"}));
    }
    if random.chance(500) {
        let retry = json!({"max_retries": random.below(4), "backoff_base_s": random.range(1, 5), "backoff_max_s": 20});
        set("retry", retry);
    }
    if random.chance(500) {
        set("timeout", json!(random.range(5, 60)));
    }
    if random.chance(350) {
        set(
            "pools",
            if random.chance(300) {
                json!(["pair", "tiny"])
            } else {
                json!([random.pick(&["pair", "tiny"])])
            },
        );
    }
    if random.chance(400) {
        set("on_denied", json!(random.pick(&["skip", "fail", "hold"])));
    }
    if random.chance(300) {
        set("priority", json!(random.range(1, 10)));
    }
    if random.chance(350) {
        let params = match random.below(4) {
            0 => json!({}),
            1 => json!({"first": format!("${{tasks.t{index}.output[0]}}")}),
            _ => json!({"made": format!("${{tasks.t{index}.output}}")}),
        };
        let action = random.pick(&["undo", "undo", "undo", "undo", "blocked", "ask", "night"]);
        set("compensate", json!({"action": action, "params": params}));
    }
    Value::Object(task)
}

/// A policy drawn from `random`, and how many runs a client may have at a time. Policies are made once per process.
pub fn policy(random: &mut Random) -> (Arc<Policy>, u32) {
    static POLICIES: OnceLock<Vec<Arc<Policy>>> = OnceLock::new();
    let policies = POLICIES.get_or_init(|| (0..4).map(|variant| Arc::new(make(variant))).collect());
    let places = u32::try_from(random.range(1, 3)).unwrap_or(1);
    (Arc::clone(random.pick(policies)), places)
}

fn make(variant: u32) -> Policy {
    let cpu = [1, 2, 3, 50][variant as usize];
    let mut rules = vec![
        json!({"name": "ask", "when": "task.action == 'ask'", "require_approval": "somebody should look"}),
        json!({"name": "wait", "when": "task.action == 'wait' && !task.approved", "hold": {"reason": "not yet", "for": "2m"}}),
    ];
    if variant == 2 {
        rules.push(json!({"name": "spread", "when": "usage.tiny.used > 0", "set": {"pools": ["pair"]}}));
    }
    let config = json!({
        "blocked_actions": ["blocked"],
        "gpu_agents": ["gpu_*"],
        "resource_limits": {"max_concurrent_gpu_tasks": 1, "max_concurrent_cpu_tasks": cpu},
        "retry": {"max_retries": 1, "backoff_base_s": 1.0, "backoff_max_s": 10.0},
        "on_denied": if variant == 1 { "fail" } else { "skip" },
        "maintenance_windows": [{"start": "00:00", "end": "00:05", "actions": ["night"]}],
        "rules": rules,
    });
    let config: PolicyConfig = serde_json::from_value(config).expect("the policy is well formed");
    let solo = AgentLimits {
        concurrency: Some(1),
        timeout_ms: None,
    };
    let surroundings = Surroundings {
        pools: BTreeMap::from([("tiny".to_owned(), 1), ("pair".to_owned(), 2)]),
        agents: BTreeMap::from([("solo".to_owned(), solo)]),
    };
    Policy::new(&config, surroundings).expect("the policy is valid")
}
