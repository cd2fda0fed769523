//! The offline translator against what people ask for: `tests/translations/requests.yaml`. Prints a score for each kind of request.
//!
//! See it with `cargo test -p orchestrator-translate --test evaluation -- --nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use orchestrator_core::policy::{Policy, Surroundings};
use orchestrator_core::workflow::{Limits, typed};
use orchestrator_translate::catalogue::Shipped;
use orchestrator_translate::guard::Rules;
use orchestrator_translate::offline::Offline;
use orchestrator_translate::translate::Why;
use orchestrator_translate::{Outcome, Prompt, translate};
use serde::Deserialize;
use serde_json::{Map, Value};

const REQUESTS: &str = include_str!("../../../tests/translations/requests.yaml");
const HELD_OUT: &str = include_str!("../../../tests/translations/held_out.yaml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    kind: String,
    text: String,
    #[serde(default)]
    tasks: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    params: BTreeMap<String, Map<String, Value>>,
    #[serde(default)]
    refuse: Option<String>,
}

/// What of a request came out as expected.
#[derive(Debug, Default, Clone, Copy)]
struct Score {
    requests: u32,
    valid: u32,
    actions: u32,
    dependencies: u32,
    refusals: u32,
    wanted: u32,
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the offline translator waits for nobody"),
    }
}

fn outcome(text: &str) -> Outcome {
    let policy =
        Policy::new(&Default::default(), Surroundings::default()).expect("the default policy is valid");
    let rules = Rules {
        catalogue: Shipped::DataScience.catalogue(),
        policy: &policy,
        limits: &Limits::api(),
        confidence_min: 0.6,
    };
    let prompt = Prompt::new(text, 4_000).expect("requests are prompts");
    now(translate(&Offline, &prompt, &Value::Null, rules, 2))
        .expect("it needs nobody")
        .outcome
}

/// The tasks of a document with what they depend on.
fn tasks(dsl: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let tasks = dsl["tasks"].as_array().expect("tasks");
    tasks
        .iter()
        .map(|task| {
            let upstream = task["depends_on"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            (text(&task["id"]), upstream.iter().map(text).collect())
        })
        .collect()
}

fn params_fit(dsl: &Value, expected: &BTreeMap<String, Map<String, Value>>) -> bool {
    let tasks = dsl["tasks"].as_array().expect("tasks");
    expected.iter().all(|(id, params)| {
        let task = tasks.iter().find(|task| task["id"] == id.as_str());
        task.is_some_and(|task| params.iter().all(|(name, value)| task["params"][name] == *value))
    })
}

fn judge(request: &Request, outcome: &Outcome, score: &mut Score) -> Option<String> {
    score.requests += 1;
    match (&request.tasks, outcome) {
        (Some(expected), Outcome::Workflow { dsl, .. }) => {
            score.wanted += 1;
            score.valid += 1;
            let found = tasks(dsl);
            let same_tasks = found.keys().eq(expected.keys());
            let same_edges = expected.iter().all(|(id, upstream)| {
                let upstream: BTreeSet<String> = upstream.iter().cloned().collect();
                found.get(id).is_some_and(|found| *found == upstream)
            });
            score.actions += u32::from(same_tasks && params_fit(dsl, &request.params));
            score.dependencies += u32::from(same_edges);
            (!same_tasks || !same_edges || !params_fit(dsl, &request.params))
                .then(|| dsl["tasks"].to_string())
        }
        (Some(_), Outcome::NeedsHuman { reason, .. }) => {
            score.wanted += 1;
            Some(format!("refused: {reason}"))
        }
        (None, Outcome::Workflow { dsl, confidence, .. }) => {
            Some(format!("translated ({confidence}): {}", dsl["tasks"]))
        }
        (None, Outcome::NeedsHuman { why, reason, .. }) => {
            let why = match why {
                Why::Ambiguous => "ambiguous",
                Why::Impossible => "impossible",
                Why::Refused => "refused",
                Why::Invalid => "invalid",
            };
            let expected = request
                .refuse
                .as_deref()
                .expect("a request has tasks or a refusal");
            let fits = expected == "any" || expected == why;
            score.refusals += 1;
            (!fits).then(|| format!("{why} instead of {expected}: {reason}"))
        }
    }
}

/// Translates every request, prints what went wrong and a score for each kind, and gives the total with what should have been refused.
fn evaluate(text: &str, count_min: usize) -> (Score, Vec<String>) {
    let requests: Vec<Request> = typed::read(text, &Limits::local_file()).expect("the requests can be read");
    assert!(requests.len() >= count_min, "{} requests", requests.len());
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    let mut total = Score::default();
    let mut not_refused = Vec::new();
    for request in &requests {
        let outcome = outcome(&request.text);
        let fault = judge(request, &outcome, &mut total);
        judge(request, &outcome, scores.entry(&request.kind).or_default());
        if let Some(fault) = fault {
            println!("{}: {:?}\n    {fault}", request.kind, request.text);
        }
        if request.tasks.is_none() && matches!(outcome, Outcome::Workflow { .. }) {
            not_refused.push(request.text.clone());
        }
    }
    println!("\nKIND          REQUESTS  VALID DSL  ACTIONS  DEPENDENCIES  REFUSALS");
    for (kind, score) in scores.iter().chain([(&"all", &total)]) {
        let refusable = score.requests - score.wanted;
        let of = |count: u32, all: u32| {
            if all == 0 {
                "-".to_owned()
            } else {
                format!("{count}/{all}")
            }
        };
        println!(
            "{kind:<13} {:>8}  {:>9}  {:>7}  {:>12}  {:>8}",
            score.requests,
            of(score.valid, score.wanted),
            of(score.actions, score.wanted),
            of(score.dependencies, score.wanted),
            of(score.refusals, refusable)
        );
    }
    (total, not_refused)
}

#[test]
fn the_offline_translator_keeps_its_score() {
    let (total, not_refused) = evaluate(REQUESTS, 60);
    assert!(not_refused.is_empty(), "these were translated: {not_refused:#?}");
    let share = |count: u32| f64::from(count) / f64::from(total.wanted);
    assert!(share(total.valid) >= 0.95, "too few are translated");
    assert!(share(total.actions) >= 0.95, "too few have the right actions");
    assert!(
        share(total.dependencies) >= 0.95,
        "too few have the right dependencies"
    );
}

#[test]
fn what_it_was_not_made_with_is_translated_or_refused_but_never_more_than_asked() {
    let (_, not_refused) = evaluate(HELD_OUT, 20);
    assert!(not_refused.is_empty(), "these were translated: {not_refused:#?}");
}
