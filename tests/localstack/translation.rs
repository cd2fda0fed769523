//! From a sentence to a run, by way of the function `translator` and a model behind the Converse API; and what goes wrong on that way.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use emulator::Valkey;
use futures_util::future::join_all;
use orchestrator_aws::env;
use serde_json::{Value, json};
use tests::answers::malicious;
use tests::binary::orchestrator;
use tests::model::{Model, Said, text_of};
use tests::requests::{Reply, Request};

use crate::agents::Agents;
use crate::bridge;
use crate::deployment::{Deployment, Wanted, eventually};
use crate::proxy::{Fate, Proxy};

const CONFIGURATION: &str = "
master_orchestrator:
  decision: {blocked_actions: [notify]}
  translation:
    translator: bedrock
    bedrock: {model: vendor.model-v1, fallback: false, timeout_s: 20, usd_per_million_input: 3, usd_per_million_output: 15}
agents:
  data_agent: {builtin: noop, catalogue: data_science}
  ml_agent: {builtin: noop, catalogue: data_science}
  report_agent: {builtin: noop, catalogue: data_science}
";

const GOOD: &str = r#"{"status": "workflow", "confidence": 0.9, "workflow": {"name": "w", "tasks":
    [{"id": "train", "agent": "ml_agent", "action": "train_model", "params": {"folds": 5}}]}}"#;

fn good() -> Said {
    Said::Content(GOOD.to_owned())
}

async fn deploy(model: &str, change: impl FnOnce(Wanted<'_>) -> Wanted<'_>) -> Deployment {
    Deployment::new(change(Wanted {
        agents: &["ml_agent"],
        configuration: CONFIGURATION,
        model: Some(model),
        ..Wanted::default()
    }))
    .await
}

impl Deployment {
    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(&Request::new("POST", path).json(&body.to_string()))
            .await
    }

    async fn say(&self, text: &str) -> Reply {
        self.post("/workflows", &json!({"natural_language": text})).await
    }

    /// A translation once it has come to an end.
    async fn translated(&self, path: &str) -> Value {
        eventually("the translation ends", async || {
            let view = self.ask(&Request::new("GET", path)).await.json();
            let status = view["status"].as_str().unwrap_or_default();
            assert!(!status.is_empty(), "{path}: {view}");
            (!["queued", "processing"].contains(&status)).then_some(view)
        })
        .await
    }

    async fn runs(&self) -> usize {
        let list = self.ask(&Request::new("GET", "/runs?limit=100")).await.json();
        list["runs"].as_array().expect("a list of runs").len()
    }
}

fn location(reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{}", reply.json());
    reply.header("location").expect("it says where").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentence_is_translated_by_the_translator_and_its_plan_runs_to_its_end() {
    let model = Model::of_bedrock(|_, _| Said::Slowly(Duration::from_millis(800), GOOD.to_owned()));
    let deployment = deploy(&model.endpoint, |wanted| wanted).await;
    let first = deployment.say("train it").await;
    let path = location(&first);
    assert_eq!(first.json()["status"], "queued");
    assert_eq!(
        location(&deployment.say("train it").await),
        path,
        "the same text is the same translation"
    );
    let view = deployment.translated(&path).await;
    assert_eq!(
        (&view["status"], &view["translator"]),
        (&json!("done"), &json!("bedrock:vendor.model-v1")),
        "{view}"
    );
    assert_eq!(
        (&view["usage"]["calls"], &view["usage"]["input_tokens"]),
        (&json!(1), &json!(100))
    );
    let proposal = deployment.say("train it").await;
    let body = proposal.json();
    assert_eq!(
        (proposal.status, &body["source"]),
        (200, &json!("memory")),
        "{body}"
    );
    let mut agents = Agents::default();
    agents.hire(&deployment, "ml_agent", 1, |_| {
        vec![json!({"type": "TASK_SUCCESS", "output": {"model": "m"}})]
    });
    let started = deployment
        .post("/workflows", &json!({"plan_token": body["plan_token"]}))
        .await;
    assert_eq!(started.status, 201, "{}", started.json());
    let run = started.json()["id"].as_str().expect("a run has an id").to_owned();
    assert_eq!(deployment.ended(&run).await["status"], "SUCCESS");
    // What comes again finds that it is done; what nobody can read does not stop it.
    let token = path.rsplit('/').next().expect("a path").to_owned();
    let again = event(
        &deployment,
        &json!({"kind": "translate", "token": token}).to_string(),
    )
    .await;
    let answer = deployment.call("translator", &again).await.expect("an answer");
    assert_eq!(answer["batchItemFailures"], json!([]), "{answer}");
    let poison = event(&deployment, "this is no message").await;
    let answer = deployment.call("translator", &poison).await.expect("an answer");
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "m", "{answer}");
    assert_eq!(model.calls(), 1, "one call for all of this");
    let stats = deployment.ask(&Request::new("GET", "/stats")).await.json();
    assert_eq!(
        (&stats["translation"]["calls"], &stats["translation"]["tokens"]),
        (&json!(1), &json!(150)),
        "{stats}"
    );
    assert!(stats["cache"]["hit"].as_u64() >= Some(1), "{}", stats["cache"]);
}

/// The event by which a message of the queue is delivered.
async fn event(deployment: &Deployment, body: &str) -> Value {
    let arn = deployment.arn(&deployment.translations_queue).await;
    json!({"Records": [{
        "messageId": "m", "receiptHandle": "none", "body": body, "attributes": {"ApproximateReceiveCount": "2"},
        "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": "us-east-1",
    }]})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_says_that_it_is_being_translated_and_then_shows_the_plan() {
    let model = Model::of_bedrock(|_, _| Said::Slowly(Duration::from_millis(500), GOOD.to_owned()));
    let deployment = deploy(&model.endpoint, |wanted| wanted).await;
    let ask = async || {
        let form = Request::new("POST", "/ui/ask").form("text=train+it&do=translate");
        let page = deployment.ask(&form).await;
        let text = String::from_utf8_lossy(&page.body).into_owned();
        assert_eq!(page.status, 200, "{text}");
        text
    };
    let first = ask().await;
    assert!(
        first.contains("It is being translated") && first.contains("Look again"),
        "{first}"
    );
    let plan = eventually("the plan is shown", async || {
        let page = ask().await;
        (!page.contains("It is being translated")).then_some(page)
    })
    .await;
    assert!(
        plan.contains("Start exactly this") && plan.contains("train_model"),
        "{plan}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_hostile_runs_and_what_the_model_said_can_be_looked_at() {
    let answers = malicious();
    let count = answers.len();
    let model = Model::of_bedrock(move |call, _| {
        let text = text_of(call);
        let number: usize = text
            .rsplit(' ')
            .next()
            .and_then(|last| last.parse().ok())
            .unwrap_or(0);
        Said::Content(answers[number % answers.len()].clone())
    });
    let deployment = deploy(&model.endpoint, |wanted| wanted).await;
    let all = (0..count).map(async |number| {
        let body = json!({"natural_language": format!("clean the data {number}"), "mode": "run"});
        let path = location(&deployment.post("/workflows", &body).await);
        let view = deployment.translated(&path).await;
        assert_eq!(view["status"], "needs_human", "{number}: {view}");
        let rejected = view["rejected"].as_array().expect("what was rejected is kept");
        assert!(
            !rejected.is_empty() && !rejected[0]["faults"].as_array().expect("faults").is_empty(),
            "{view}"
        );
        // Asked again, it is refused without asking the model again.
        let reply = deployment.post("/workflows", &body).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (422, "translation.needs-human"),
            "{}",
            reply.json()
        );
    });
    join_all(all).await;
    assert_eq!(deployment.runs().await, 0, "nothing runs");
    println!("hostile model behind the translator: {count} answers, 0 runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_in_several_translators_at_once_is_one_call() {
    const AT_ONCE: usize = 8;
    let server = Valkey::start().unwrap_or_else(|problem| panic!("{problem}"));
    for cache in ["dynamodb", server.url.as_str()] {
        let model = Model::of_bedrock(|_, _| Said::Slowly(Duration::from_secs(3), GOOD.to_owned()));
        let deployment = deploy(&model.endpoint, |mut wanted| {
            wanted.environment.push((env::CACHE, cache.to_owned()));
            wanted
        })
        .await;
        // Each has a token and a message of its own.
        let body = json!({"natural_language": "train it"});
        let all = (0..AT_ONCE).map(async |_| {
            let path = location(&deployment.post("/workflows/translate", &body).await);
            deployment.translated(&path).await
        });
        let views = join_all(all).await;
        assert!(views.iter().all(|view| view["status"] == "done"), "{views:?}");
        let asked = views.iter().filter(|view| view["source"] == "translator").count();
        assert_eq!((asked, model.calls()), (1, 1), "{cache}");
        println!(
            "{AT_ONCE} translators at once, cache at {cache}: {} call",
            model.calls()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_whose_translator_dies_is_taken_up_again_and_poison_ends_among_the_dead_letters() {
    let model = Model::of_bedrock(|_, _| good());
    let calls = AtomicUsize::new(0);
    // The first process dies when the model has answered and before it hears of it.
    let proxy = Proxy::start(&model.endpoint, move |_| {
        match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Fate::KilledAfter,
            _ => Fate::Through,
        }
    });
    let deployment = deploy(&proxy.endpoint, |wanted| Wanted {
        timeout_seconds: 15,
        ..wanted
    })
    .await;
    let sqs = &deployment.world.clients.sqs;
    for poison in ["this is no message", "{\"kind\":\"translate\"}"] {
        let sent = sqs
            .send_message()
            .queue_url(&deployment.translations_queue)
            .message_body(poison)
            .send()
            .await;
        sent.expect("a queue");
    }
    let path = location(&deployment.say("train it").await);
    let view = deployment.translated(&path).await;
    assert_eq!(view["status"], "done", "{view}");
    assert_eq!(
        model.calls(),
        2,
        "the answer that nobody heard, and the one that counts"
    );
    let dead = eventually("both are given up", async || {
        let dead = deployment.dead(&deployment.dead_translations).await;
        (dead.len() >= 2).then_some(dead)
    })
    .await;
    assert!(dead.iter().all(|body| !body.contains("token")), "{dead:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_follows_a_translation_to_its_plan() {
    let model = Model::of_bedrock(|call, _| match text_of(call).contains("nonsense") {
        true => Said::Content(
            json!({"status": "impossible", "confidence": 0.9, "reason": "no agent does that"}).to_string(),
        ),
        false => Said::Slowly(Duration::from_millis(500), GOOD.to_owned()),
    });
    let deployment = Arc::new(deploy(&model.endpoint, |wanted| wanted).await);
    let endpoint = bridge::start(Arc::clone(&deployment));
    let ask = |words: &'static [&'static str]| {
        let endpoint = endpoint.clone();
        let run = move || {
            let mut command = orchestrator();
            command
                .args(["--endpoint", &endpoint, "ask"])
                .args(words)
                .current_dir(Path::new("/"));
            command.output().expect("the program starts")
        };
        tokio::task::spawn_blocking(run)
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for (calls, words) in [
        (1, &["--plan", "train it"][..]),
        (1, &["--plan", "train it"][..]),
        (2, &["--plan", "--no-cache", "train it"][..]),
    ] {
        let output = ask(words).await.expect("it ends");
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{words:?}: {out}{err}");
        assert!(
            out.contains("translated by bedrock:vendor.model-v1") && out.contains("plan token:"),
            "{out}"
        );
        assert_eq!(model.calls(), calls, "{words:?}");
    }
    let output = ask(&["--plan", "nonsense of some kind"]).await.expect("it ends");
    let err = text(&output.stderr);
    assert!(
        !output.status.success()
            && err.contains("no agent does that")
            && err.contains("what could be asked for"),
        "{err}"
    );
    assert_eq!(deployment.runs().await, 0);
}
