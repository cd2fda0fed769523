//! What goes wrong in production, made to go wrong here.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use emulator::Emulator;
use futures_util::future::join_all;
use orchestrator_core::ids::RunId;
use orchestrator_engine::ports::messages::{Body, Candidates, Message};
use serde_json::{Value, json};

use crate::agents::{Agents, success};
use crate::deployment::{Deployment, Wanted, eventually};
use crate::proxy::{Call, Fate, Proxy};
use crate::workflows::{DIAMOND, wide};

const SQS: &str = "AWS_ENDPOINT_URL_SQS";
const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";
const EVENTBRIDGE: &str = "AWS_ENDPOINT_URL_EVENTBRIDGE";

/// A proxy between the functions and one service.
fn between(judge: impl Fn(&Call<'_>) -> Fate + Send + Sync + 'static) -> String {
    Proxy::start(Emulator::shared().endpoint(), judge).endpoint
}

/// Attempts that were let begin: each once.
fn dispatched(history: &[Value]) -> usize {
    history
        .iter()
        .filter(|event| event["type"] == "TASK_QUEUED")
        .count()
}

async fn all_end_well(deployment: &Deployment, runs: &[String], tasks: usize) {
    for run in runs {
        let view = deployment.ended(run).await;
        assert_eq!(view["status"], "SUCCESS", "{view}");
        let history = deployment.history(run).await;
        assert_eq!(dispatched(&history), tasks, "{history:?}");
        let ends = history
            .iter()
            .filter(|event| event["type"] == "TASK_SUCCEEDED")
            .count();
        assert_eq!(ends, tasks, "every task ends once: {history:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicated_and_reordered_messages_change_nothing_and_dead_letters_are_only_poison() {
    let count = AtomicU32::new(0);
    let twice = between(move |call| {
        let is_sent = call.target.ends_with(".SendMessageBatch") || call.target.ends_with(".SendMessage");
        match is_sent && count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            true => Fate::Twice,
            false => Fate::Through,
        }
    });
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        environment: vec![(SQS, twice)],
        ..Wanted::default()
    })
    .await;
    let mut agents = Agents::default();
    agents.hire(&deployment, "writer", 4, |_| {
        let end = success(json!({"rows": 1}));
        // The end comes before the start, and comes again.
        vec![end.clone(), json!({"type": "TASK_STARTED"}), end]
    });
    let config = &deployment.world.config;
    let send = async |queue: &str, body: &str, group: Option<&str>| {
        let request = deployment.world.clients.sqs.send_message().queue_url(queue);
        let request = request.message_body(body);
        let request = request.set_message_group_id(group.map(str::to_owned));
        let sent = request.set_message_deduplication_id(group.map(str::to_owned));
        sent.send().await.expect("a queue");
    };
    let poison = ["not even JSON", "{\"kind\": \"decide\"}"];
    send(&config.decisions_queue, poison[0], None).await;
    send(&config.task_events_queue, poison[1], Some("poison")).await;
    let mut runs = Vec::new();
    for _ in 0..8 {
        runs.push(deployment.submit(DIAMOND).await);
    }
    let forged = json!({"run_id": runs[0], "task_id": "last", "type": "TASK_SUCCESS", "epoch": 1, "attempt": 1, "token": "no"});
    send(
        &config.task_events_queue,
        &forged.to_string(),
        Some(runs[0].as_str()),
    )
    .await;
    all_end_well(&deployment, &runs, 4).await;
    for (queue, poison) in deployment.dead_letters.iter().zip(poison) {
        let dead = eventually("the poison is among the dead letters", async || {
            let dead = deployment.dead(queue).await;
            (!dead.is_empty()).then_some(dead)
        });
        assert_eq!(dead.await, [poison]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_dies_between_append_and_dispatch_has_dispatched_in_the_end() {
    let stuck = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&stuck);
    let proxy = between(move |call| {
        let is_dispatch = call.target.ends_with(".SendMessageBatch") && call.body.contains("tasks-writer");
        // Lambda ends the function while it waits for an answer.
        match is_dispatch && seen.fetch_add(1, Ordering::Relaxed) == 0 {
            true => Fate::Stuck,
            false => Fate::Through,
        }
    });
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        environment: vec![(SQS, proxy)],
        timeout_seconds: 2,
        ..Wanted::default()
    })
    .await;
    let mut agents = Agents::default();
    agents.hire(&deployment, "writer", 2, |_| vec![success(Value::Null)]);
    let run = deployment.submit(DIAMOND).await;
    all_end_well(&deployment, &[run], 4).await;
    assert!(
        stuck.load(Ordering::Relaxed) > 3,
        "the first dispatch got nowhere, and was made again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_dies_between_append_and_publication_has_published_in_the_end() {
    let stuck = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&stuck);
    let proxy = between(move |call| {
        let is_end = call.target.ends_with(".PutEvents") && call.body.contains("RUN_SUCCEEDED");
        match is_end && seen.fetch_add(1, Ordering::Relaxed) == 0 {
            true => Fate::KilledBefore,
            false => Fate::Through,
        }
    });
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        environment: vec![(EVENTBRIDGE, proxy)],
        ..Wanted::default()
    })
    .await;
    let queue = deployment.subscribe(&["RUN_SUCCEEDED"]).await;
    let mut agents = Agents::default();
    agents.hire(&deployment, "writer", 2, |_| vec![success(Value::Null)]);
    let run = deployment.submit(DIAMOND).await;
    all_end_well(&deployment, std::slice::from_ref(&run), 4).await;
    let told = eventually("the end is published", async || {
        deployment.dead(&queue).await.into_iter().next()
    })
    .await;
    let told: Value = serde_json::from_str(&told).expect("an event");
    assert_eq!(told["detail"]["run_id"], json!(run));
    assert!(stuck.load(Ordering::Relaxed) >= 2, "it was lost once");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_deciders_of_one_run_dispatch_every_task_once() {
    const TASKS: usize = 30;
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        configuration: "master_orchestrator: {decision: {resource_limits: {max_concurrent_cpu_tasks: 100}}}",
        is_manual: true,
        ..Wanted::default()
    })
    .await;
    let run = deployment.submit(&wide(TASKS, "")).await;
    let message = Message {
        run: run.parse::<RunId>().expect("a run id"),
        body: Body::Decide(Candidates::Ready),
    };
    let body = orchestrator_aws::messages::wire::encode(&message);
    let call = |index: usize| {
        let record = json!({
            "messageId": format!("m{index}"), "receiptHandle": "none", "body": body,
            "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs",
        });
        json!({"Records": [record]})
    };
    let events: Vec<Value> = (0..10).map(call).collect();
    let answers = join_all(events.iter().map(|event| deployment.call("decision", event))).await;
    for answer in answers {
        assert_eq!(answer, Ok(json!({"batchItemFailures": []})));
    }
    let history = deployment.history(&run).await;
    assert_eq!(dispatched(&history), TASKS);
    let mut envelopes = BTreeSet::new();
    let mut count = 0;
    eventually("all tasks are with their agent", async || {
        for message in deployment.dead(&deployment.agent_queue("writer")).await {
            let envelope: Value = serde_json::from_str(&message).expect("an envelope");
            envelopes.insert(envelope["task_id"].as_str().expect("a task").to_owned());
            count += 1;
        }
        (envelopes.len() == TASKS).then_some(())
    })
    .await;
    assert_eq!(count, TASKS, "no task was handed over twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_calls_and_lost_answers_delay_runs_but_do_not_harm_them() {
    let calls = Arc::new(Mutex::new((0_u32, 0_u32)));
    let counted = Arc::clone(&calls);
    let proxy = between(move |_| {
        let mut counts = counted.lock().expect("nobody panics");
        counts.0 += 1;
        let fate = match counts.0 {
            n if n % 4 == 0 => Fate::Refused("ThrottlingException"),
            n if n % 11 == 0 => Fate::Unanswered,
            _ => Fate::Through,
        };
        counts.1 += u32::from(fate != Fate::Through);
        fate
    });
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        environment: vec![(DYNAMODB, proxy)],
        ..Wanted::default()
    })
    .await;
    let mut agents = Agents::default();
    agents.hire(&deployment, "writer", 2, |_| vec![success(json!(1))]);
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(deployment.submit(DIAMOND).await);
    }
    all_end_well(&deployment, &runs, 4).await;
    for queue in &deployment.dead_letters {
        assert_eq!(deployment.dead(queue).await, [] as [String; 0]);
    }
    let (_, faults) = *calls.lock().expect("nobody panics");
    assert!(faults > 20, "only {faults} calls went wrong");
}
