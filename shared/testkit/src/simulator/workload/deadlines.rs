//! Deadlines of generated workflows. Drawn apart from everything else, so that they shift nothing.

use orchestrator_core::sla::{OnBreach, SlaSpec};
use serde_json::{Map, Value, json};

use crate::random::Random;

/// Whether the runs of this seed have deadlines of their own. Seeds that once broke a rule have none: they are to do the
/// same again.
pub fn has_deadlines(seed: u64) -> bool {
    !seed.is_multiple_of(3)
}

/// What holds where documents say nothing.
pub fn default_deadlines(seed: u64) -> SlaSpec {
    let mut random = Random::new(seed ^ 0x51a_5eed);
    if !has_deadlines(seed) || random.chance(500) {
        return SlaSpec::default();
    }
    let mut seconds = |per_mille, max| {
        random
            .chance(per_mille)
            .then(|| random.range(1, max))
            .map(|seconds| seconds as f64)
    };
    SlaSpec {
        task_max_seconds: seconds(500, 60),
        workflow_max_seconds: seconds(500, 600),
        queue_max_seconds: seconds(500, 60),
        heartbeat_seconds: seconds(300, 30),
        warn_percent: None,
        on_breach: random.chance(300).then(|| *random.pick(&OnBreach::ALL)),
        on_workflow_breach: random.chance(200).then_some(OnBreach::Cancel),
    }
}

/// Gives a document and its tasks deadlines.
pub(super) fn add_to(document: &mut Value) {
    let text = document.to_string();
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut random = Random::new(text.bytes().fold(0xcbf2_9ce4_8422_2325, mix));
    if random.chance(600) {
        let mut sla = of_tasks(&mut random);
        if random.chance(500) {
            sla.insert("workflow_max_seconds".to_owned(), json!(random.range(5, 300)));
            let word = random.pick(&["alert", "cancel", "fail"]);
            sla.insert("on_workflow_breach".to_owned(), json!(word));
        }
        document["sla"] = Value::Object(sla);
    }
    for task in document["tasks"].as_array_mut().into_iter().flatten() {
        if random.chance(500) {
            task["sla"] = Value::Object(of_tasks(&mut random));
        }
    }
}

fn of_tasks(random: &mut Random) -> Map<String, Value> {
    let mut sla = Map::new();
    for (key, max) in [
        ("task_max_seconds", 40),
        ("queue_max_seconds", 60),
        ("heartbeat_seconds", 20),
    ] {
        if random.chance(400) {
            sla.insert(key.to_owned(), json!(random.range(1, max)));
        }
    }
    if random.chance(300) {
        sla.insert("warn_percent".to_owned(), json!(random.range(1, 100)));
    }
    if random.chance(500) {
        let word = random.pick(&["alert", "retry", "cancel", "fail"]);
        sla.insert("on_breach".to_owned(), json!(word));
    }
    sla
}
