//! What people ask for (`tests/translations/requests.yaml`), translated by models that answer well, sloppily and with malice, through a
//! real server and real connections. Whatever a model answers: nothing hostile becomes a run.

use std::path::Path;

use orchestrator_translate::catalogue::Shipped;
use serde_json::json;
use tests::answers::{asked, good_answers, malicious, sloppy};
use tests::model::{Model, Said, text_of};
use tests::requests::{Reply, Request};
use tests::server::Server;

/// A server whose agents are those of the catalogue, and whose translator is the model.
fn start(folder: &Path, model: &Model) -> Server {
    let configuration = folder.join("orchestrator.yaml");
    let agents = Shipped::DataScience.catalogue().agents().keys();
    let agents: String = agents
        .map(|name| format!("  {name}: {{builtin: noop, catalogue: data_science}}\n"))
        .collect();
    let translation = format!(
        "master_orchestrator:\n  decision: {{blocked_actions: [notify]}}\n  translation:\n    translator: openai\n    openai: \
         {{endpoint: '{}', model: test, fallback: false, timeout_s: 10}}\n",
        model.endpoint
    );
    std::fs::write(&configuration, format!("{translation}agents:\n{agents}"))
        .expect("the folder is writable");
    Server::start(&folder.join("data"), &configuration)
}

fn ask(server: &Server, text: &str, mode: &str) -> Reply {
    let body = json!({"natural_language": text, "mode": mode}).to_string();
    Request::new("POST", "/workflows")
        .json(&body)
        .send(&server.endpoint)
}

fn runs(server: &Server) -> usize {
    let list = Request::new("GET", "/runs?limit=100")
        .send(&server.endpoint)
        .json();
    list["runs"].as_array().expect("a list of runs").len()
}

/// Every request is answered as `asked` expects; gives how many were translated.
fn judge(server: &Server, name: &str) -> usize {
    let mut translated = 0;
    for asked in asked() {
        let reply = ask(server, &asked.text, "plan");
        let body = reply.json();
        match &asked.tasks {
            Some(expected) if !asked.is_blocked() => {
                assert_eq!(reply.status, 200, "{}: {body}", asked.text);
                let tasks = body["plan"]["tasks"].as_array().expect("a plan has tasks");
                assert_eq!(tasks.len(), expected.len(), "{}", asked.text);
                translated += 1;
            }
            _ => {
                assert_eq!(
                    (reply.status, reply.code().as_str()),
                    (422, "translation.needs-human"),
                    "{}: {body}",
                    asked.text
                );
                assert!(!body["suggestions"].as_array().expect("suggestions").is_empty());
            }
        }
    }
    println!(
        "{name} model: {translated} of {} requests translated, {} runs",
        asked().len(),
        runs(server)
    );
    assert_eq!(runs(server), 0, "plans start nothing");
    translated
}

#[test]
fn a_good_model_gets_every_request_right_and_blocked_actions_are_refused() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let answers = good_answers();
    let model = Model::start(move |call, _| Said::Content(answers[&text_of(call)].clone()));
    let server = start(folder.path(), &model);
    let translated = judge(&server, "good");
    assert!(translated > 40, "{translated}");
    assert_eq!(
        model.calls(),
        asked().len(),
        "one call each: what is blocked is not asked for again"
    );
    // The catalogue that the model is shown does not even name what is blocked.
    let shown = model.requests()[0]["messages"][0]["content"]
        .as_str()
        .expect("instructions")
        .to_owned();
    assert!(shown.contains("train_model") && !shown.contains("\"notify\""));
}

#[test]
fn a_sloppy_model_is_told_what_is_wrong_and_mends_it() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let answers = good_answers();
    let model = Model::start(move |call, _| Said::Content(sloppy(&answers[&text_of(call)], call)));
    let server = start(folder.path(), &model);
    let translated = judge(&server, "sloppy");
    assert!(translated > 40, "{translated}");
    assert_eq!(model.calls(), 3 * asked().len(), "two repairs each");
    let last = model.requests().pop().expect("there were calls");
    let told = last["messages"][5]["content"]
        .as_str()
        .expect("what was wrong")
        .to_owned();
    assert!(told.contains("unknown field `certainty`"), "{told}");
    // Rejected answers are kept, also those of translations that came to something.
    let reply = ask(&server, "load data/customers.csv", "plan");
    let path = format!(
        "/translation/{}",
        reply.json()["translation"].as_str().expect("it is named")
    );
    let kept = Request::new("GET", &path).send(&server.endpoint).json();
    assert_eq!(kept["status"], "done");
    assert_eq!(
        kept["rejected"].as_array().expect("rejected answers").len(),
        2,
        "{kept}"
    );
}

#[test]
fn a_malicious_model_starts_nothing_and_what_it_said_can_be_looked_at() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let answers = malicious();
    let count = answers.len();
    let model = Model::start(move |call, _| {
        let number = text_of(call)
            .rsplit(' ')
            .next()
            .and_then(|last| last.parse::<usize>().ok());
        Said::Content(answers[number.unwrap_or(0) % answers.len()].clone())
    });
    let server = start(folder.path(), &model);
    for number in 0..count {
        let reply = ask(&server, &format!("clean the data {number}"), "run");
        let body = reply.json();
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (422, "translation.needs-human"),
            "{number}: {body}"
        );
        let path = format!(
            "/translation/{}",
            body["translation"].as_str().expect("it is named")
        );
        let kept = Request::new("GET", &path).send(&server.endpoint).json();
        assert_eq!(kept["status"], "needs_human", "{kept}");
        let rejected = kept["rejected"].as_array().expect("what was rejected is kept");
        assert!(
            !rejected.is_empty() && !rejected[0]["faults"].as_array().expect("faults").is_empty(),
            "{kept}"
        );
    }
    for asked in asked().iter().filter(|asked| asked.kind == "hostile") {
        assert_eq!(ask(&server, &asked.text, "run").status, 422, "{}", asked.text);
    }
    assert_eq!(runs(&server), 0, "nothing runs");
    println!("malicious model: {count} answers, 0 runs");
    let stats = Request::new("GET", "/stats").send(&server.endpoint).json();
    assert!(
        stats["translation"]["rejected"].as_u64() >= Some(count as u64),
        "{}",
        stats["translation"]
    );
    assert_eq!(
        stats["translation"]["remembered"], 0,
        "what did not pass is never remembered"
    );
}
