//! A model that does not answer, answers nonsense, or costs too much; and answers that are remembered and shared.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::model::{Model, Said};
use tests::requests::{Reply, Request};
use tests::server::{Server, eventually};

const GOOD: &str = r#"{"status": "workflow", "confidence": 0.9, "workflow": {"name": "w", "tasks":
    [{"id": "train", "agent": "ml_agent", "action": "train_model", "params": {"folds": 5}}]}}"#;

/// Who ask at once.
const ASKING: usize = 1_000;

/// A server with one agent, whose translator is the model; `more` are further keys of `translation.openai` and of `translation`.
fn start(folder: &Path, model: &Model, openai: &str, translation: &str) -> Server {
    let configuration = folder.join("orchestrator.yaml");
    let text = format!(
        "master_orchestrator:\n  translation:\n    translator: openai\n    {translation}\n    openai: {{endpoint: '{}', model: test, \
         usd_per_million_input: 1, usd_per_million_output: 2, {openai}}}\nagents:\n  ml_agent: {{builtin: noop, catalogue: data_science}}\n",
        model.endpoint
    );
    std::fs::write(&configuration, text).expect("the folder is writable");
    Server::start(&folder.join("data"), &configuration)
}

fn ask(server: &Server, text: &str) -> Reply {
    ask_with(server, text, &[])
}

fn ask_with(server: &Server, text: &str, headers: &[(&str, &str)]) -> Reply {
    let body = json!({"natural_language": text}).to_string();
    let mut request = Request::new("POST", "/workflows").json(&body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send(&server.endpoint)
}

fn stats(server: &Server) -> Value {
    Request::new("GET", "/stats").send(&server.endpoint).json()
}

#[test]
fn faults_are_retried_where_that_helps_and_told_where_it_does_not() {
    let faults: [(&str, Said, usize); 7] = [
        ("429", Said::Status(429, "slow down"), 2),
        ("500", Said::Status(500, "oh"), 2),
        ("cut", Said::Cut(GOOD.to_owned()), 2),
        ("nonsense", Said::Raw(b"<html>".to_vec()), 2),
        ("hang", Said::Hang, 2),
        ("401", Said::Status(401, "who are you?"), 1),
        ("huge", Said::Raw(vec![b'x'; 3 << 20]), 1),
    ];
    for (name, fault, calls) in faults {
        let folder = tempfile::tempdir().expect("there is a temporary directory");
        let once = fault.clone();
        let model = Model::start(move |_, call| match call {
            0 => once.clone(),
            _ => Said::Content(GOOD.to_owned()),
        });
        let server = start(
            folder.path(),
            &model,
            "fallback: false, timeout_s: 2, max_retries: 1",
            "max_repairs: 0",
        );
        let reply = ask(&server, "make me a model");
        match calls {
            2 => assert_eq!(reply.status, 200, "{name}: {}", reply.json()),
            _ => {
                assert_eq!(
                    (reply.status, reply.code().as_str()),
                    (503, "translation.unavailable"),
                    "{name}: {}",
                    reply.json()
                );
                assert!(reply.header("retry-after").is_some(), "{name}");
            }
        }
        assert_eq!(model.calls(), calls, "{name}");
    }
}

#[test]
fn an_endpoint_that_keeps_failing_is_left_alone_and_the_offline_translator_answers_what_it_can() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let model = Model::start(|_, _| Said::Status(503, "down"));
    let server = start(folder.path(), &model, "max_retries: 0", "max_repairs: 0");
    for number in 0..8 {
        let reply = ask(&server, &format!("nothing that anybody knows {number}"));
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (503, "translation.unavailable"),
            "{}",
            reply.json()
        );
    }
    assert_eq!(model.calls(), 5, "after five failures it rests");
    let reply = ask(&server, "train a model");
    let body = reply.json();
    assert_eq!(
        (reply.status, &body["translator"]),
        (200, &json!("offline")),
        "{body}"
    );
    assert!(body["notes"].to_string().contains("translated offline"), "{body}");
    assert_eq!(
        stats(&server)["translation"]["remembered"],
        0,
        "the model is asked again when it is back"
    );
}

/// How many of a thousand who ask the same at once, each one of the servers, get a plan.
fn ask_at_once(servers: &[Server]) -> usize {
    let endpoints = servers.iter().map(|server| server.endpoint.clone()).cycle();
    let together = Arc::new(Barrier::new(ASKING));
    let asking = endpoints.take(ASKING).map(|endpoint| {
        let together = Arc::clone(&together);
        let ask = move || {
            together.wait();
            // So many connections at once are more than the system lets wait; whoever is turned away comes again.
            let body = json!({"natural_language": "train the usual model"}).to_string();
            let request = Request::new("POST", "/workflows").json(&body);
            let reply = (0..100).find_map(|_| {
                let reply = request.try_send(&endpoint);
                reply
                    .inspect_err(|_| thread::sleep(Duration::from_millis(50)))
                    .ok()
            });
            reply.map_or(0, |reply| reply.status)
        };
        thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(ask)
            .expect("a thread")
    });
    let asking: Vec<_> = asking.collect();
    let statuses = asking.into_iter().map(|asking| asking.join().expect("an answer"));
    statuses.filter(|status| *status == 200).count()
}

#[test]
fn a_thousand_who_ask_the_same_at_once_make_one_call() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let model = Model::start(|_, _| Said::Slowly(Duration::from_secs(5), GOOD.to_owned()));
    let server = start(
        folder.path(),
        &model,
        "fallback: false, timeout_s: 60",
        "max_repairs: 0",
    );
    let servers = [server];
    assert_eq!((ask_at_once(&servers), model.calls()), (ASKING, 1));
    let stats = stats(&servers[0]);
    let (cache, translation) = (&stats["cache"], &stats["translation"]);
    println!("1000 at once: {cache} {translation}");
    let spared = cache["shared"].as_u64().unwrap_or(0) + cache["hit"].as_u64().unwrap_or(0);
    assert_eq!(spared, ASKING as u64 - 1, "{cache}");
    assert_eq!(translation["saved_tokens"], 150 * (ASKING as u64 - 1));
}

#[test]
fn a_thousand_who_ask_two_processes_with_one_memory_make_one_call() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    // Longer than a claim holds if nobody renews it.
    let model = Model::start(|_, _| Said::Slowly(Duration::from_secs(12), GOOD.to_owned()));
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    std::fs::create_dir_all(second.join("data")).expect("the folder is writable");
    std::fs::create_dir_all(&first).expect("the folder is writable");
    std::os::unix::fs::symlink(first.join("data/cache.sqlite"), second.join("data/cache.sqlite"))
        .expect("the folder is writable");
    let keys = (
        "fallback: false, timeout_s: 60",
        "budget: {tokens_per_day: 200}\n    max_repairs: 0",
    );
    let servers = [first, second].map(|folder| start(&folder, &model, keys.0, keys.1));
    // Both have opened the file before they are asked.
    for server in &servers {
        assert_eq!(stats(server)["translation"]["remembered"], 0);
    }
    assert_eq!((ask_at_once(&servers), model.calls()), (ASKING, 1));
    let seen = servers.each_ref().map(stats);
    println!("500 each at once: {} and {}", seen[0]["cache"], seen[1]["cache"]);
    let calls = seen
        .each_ref()
        .map(|stats| stats["translation"]["calls"].as_u64());
    assert_eq!(calls.iter().flatten().sum::<u64>(), 1, "{calls:?}");
    // What one process uses up counts in the other.
    assert_eq!(
        ask(&servers[0], "train another").status,
        200,
        "150 of 200 are used"
    );
    for server in &servers {
        assert_eq!(ask(server, "train a third").code(), "limit.translation-budget");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time is printed, not tested")]
fn answers_are_remembered_for_whom_they_were_made_until_they_are_forgotten() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let model = Model::start(|_, _| Said::Content(GOOD.to_owned()));
    let server = start(folder.path(), &model, "fallback: false", "max_repairs: 0");
    let source = |reply: &Reply| reply.json()["source"].clone();
    let begin = Instant::now();
    assert_eq!(source(&ask(&server, "train it")), "translator");
    let miss = begin.elapsed();
    let begin = Instant::now();
    let again = ask(&server, "train it");
    println!("a call: {miss:?}, a remembered answer: {:?}", begin.elapsed());
    assert_eq!((source(&again), model.calls()), (json!("memory"), 1));
    assert_eq!(again.json()["usage"]["calls"], 0, "it cost nothing this time");
    assert_eq!(
        source(&ask_with(&server, "train it", &[("cache-control", "no-cache")])),
        "translator"
    );
    let other = json!({"natural_language": "train it", "client_id": "somebody-else"}).to_string();
    assert_eq!(
        source(
            &Request::new("POST", "/workflows")
                .json(&other)
                .send(&server.endpoint)
        ),
        "translator"
    );
    let urgent = json!({"natural_language": "train it", "metadata": {"urgent": true}}).to_string();
    assert_eq!(
        source(
            &Request::new("POST", "/workflows")
                .json(&urgent)
                .send(&server.endpoint)
        ),
        "translator"
    );
    assert_eq!(model.calls(), 4);
    let seen = stats(&server);
    assert_eq!(seen["cache"], json!({"bypass": 1, "hit": 1, "miss": 3}));
    assert_eq!(seen["translation"]["saved_tokens"], 150);
    assert_eq!(
        seen["translation"]["saved_usd"]
            .as_f64()
            .map(|usd| (usd * 1e6).round()),
        Some(200.0)
    );
    let cleared = Request::new("POST", "/cache/clear")
        .json("{}")
        .send(&server.endpoint)
        .json();
    assert_eq!(cleared["forgotten"], 3);
    assert_eq!(source(&ask(&server, "train it")), "translator");
}

#[test]
fn a_memory_that_is_down_costs_a_call_and_no_error() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    // A folder where the file should be: it cannot be opened, and cannot be begun anew.
    std::fs::create_dir_all(folder.path().join("data/cache.sqlite/x")).expect("the folder is writable");
    let model = Model::start(|_, _| Said::Content(GOOD.to_owned()));
    let server = start(folder.path(), &model, "fallback: false", "max_repairs: 0");
    let body = json!({"natural_language": "train it", "mode": "run"}).to_string();
    for calls in 1..=2 {
        let reply = Request::new("POST", "/workflows")
            .json(&body)
            .send(&server.endpoint);
        assert_eq!(reply.status, 201, "{}", reply.json());
        assert_eq!(model.calls(), calls);
    }
}

#[test]
fn clients_spend_what_they_may_and_runs_say_what_they_cost() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let model = Model::start(|_, _| Said::Content(GOOD.to_owned()));
    let budget = "budget: {tokens_per_day: 200, tokens_per_minute: 1000}";
    let mut server = start(folder.path(), &model, "fallback: false", budget);
    let body = json!({"natural_language": "train it", "mode": "run"}).to_string();
    let reply = Request::new("POST", "/workflows")
        .json(&body)
        .send(&server.endpoint);
    assert_eq!(reply.status, 201, "{}", reply.json());
    let path = format!("/runs/{}", reply.json()["id"].as_str().expect("a run has an id"));
    let run = Request::new("GET", &path).send(&server.endpoint).json();
    let origin = &run["metadata"]["translation"];
    assert_eq!(
        (&origin["translator"], &origin["tokens"]),
        (&json!("openai:test"), &json!(150)),
        "{run}"
    );
    assert_eq!(ask(&server, "train another").status, 200, "150 of 200 are used");
    let refused = ask(&server, "train a third");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "limit.translation-budget"),
        "{}",
        refused.json()
    );
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        ask(&server, "train another").json()["source"],
        "memory",
        "what is remembered costs nothing"
    );
    assert_eq!(model.calls(), 2);
    // The day's sum outlives the process.
    server.kill();
    let server = start(folder.path(), &model, "fallback: false", budget);
    assert_eq!(ask(&server, "train a third").status, 429);
}

#[test]
fn a_translation_can_be_asked_for_later() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let model = Model::start(|_, _| Said::Slowly(Duration::from_millis(300), GOOD.to_owned()));
    let server = start(folder.path(), &model, "fallback: false", "max_repairs: 0");
    let body = json!({"natural_language": "train it"}).to_string();
    let reply = Request::new("POST", "/workflows/translate")
        .json(&body)
        .send(&server.endpoint);
    assert_eq!((reply.status, &reply.json()["status"]), (202, &json!("queued")));
    let path = reply.header("location").expect("it says where").to_owned();
    let done = eventually("the translation is done", || {
        let view = Request::new("GET", &path).send(&server.endpoint).json();
        assert!(
            ["queued", "processing", "done"].contains(&view["status"].as_str().unwrap_or_default()),
            "{view}"
        );
        (view["status"] == "done").then_some(view)
    });
    assert_eq!(done["dsl"]["tasks"][0]["action"], "train_model");
    let down = Model::start(|_, _| Said::Status(500, "oh"));
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let server = start(
        folder.path(),
        &down,
        "fallback: false, max_retries: 0",
        "max_repairs: 0",
    );
    let reply = Request::new("POST", "/workflows/translate")
        .json(&body)
        .send(&server.endpoint);
    let path = reply.header("location").expect("it says where").to_owned();
    let failed = eventually("the translation fails", || {
        let view = Request::new("GET", &path).send(&server.endpoint).json();
        (view["status"] == "error").then_some(view)
    });
    assert!(failed["reason"].to_string().contains("status 500"), "{failed}");
}
