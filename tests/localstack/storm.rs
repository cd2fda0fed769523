//! Everything that goes wrong, at the same time, to many runs: `cargo xtask faults --runs 500` lets more of them live through it.
//!
//! Every fifth message is sent twice and every fifth report said twice, every tenth invocation is killed in the middle of its
//! work, appends are overtaken by somebody else's, calls are throttled, answers are lost, and there is poison in the queues.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName;
use emulator::Emulator;
use futures_util::future::join_all;
use orchestrator_engine::sweep::CHECK_LAST_MS;
use serde_json::{Value, json};
use tests::requests::Request;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::agents::{Agents, success};
use crate::api::{event, operator, reply};
use crate::deployment::{Deployment, PATIENCE, Wanted, eventually};
use crate::judge::{DEATHS, DOUBLED, KILLED, Storm};
use crate::proxy::Proxy;
use crate::workflows::DIAMOND;

/// Environment variable: how many runs.
const RUNS: &str = "ORCHESTRATOR_TEST_RUNS";
const RUNS_BY_DEFAULT: usize = 40;
/// Tasks of a run.
const TASKS: usize = 4;

/// Invocations of the test at a time.
const AT_ONCE: usize = 8;
/// Longer than an invocation takes when the machine has much else to do: what comes again while it is worked on is given up too early.
const VISIBILITY_SECONDS: u32 = 20;
/// Tries of a submission.
const TRIES: u32 = 30;
/// Pause after a look at runs of which none has ended, for each that is open.
const LOOK: Duration = Duration::from_millis(10);
/// How often whoever looks on is told how far it is.
const TOLD: Duration = Duration::from_secs(20);
/// How often the schedule ticks. A run is looked at a minute after it was submitted.
const TICK: Duration = Duration::from_secs(5);
const POISON: [&str; 3] = [
    "not even JSON",
    "{\"kind\": \"decide\"}",
    "{\"run_id\": \"nobody\", \"kind\": \"tick\"}",
];

/// Submits through functions that die, as clients do: with a key, until there is an answer.
async fn submit(deployment: &Deployment, key: &str) -> String {
    let mut request = Request::new("POST", "/workflows").yaml(DIAMOND);
    request.headers.push(("Idempotency-Key", key));
    let event = event(&request, operator());
    for _ in 0..TRIES {
        let Ok(answer) = deployment.call("intake", &event).await else {
            continue;
        };
        let reply = reply(&answer);
        match reply.status {
            200 | 201 => return reply.json()["id"].as_str().expect("a run has an id").to_owned(),
            // What it needs could not be reached.
            409 | 500.. => tokio::time::sleep(Duration::from_millis(100)).await,
            status => panic!("{key}: {status} {}", reply.json()),
        }
    }
    panic!("{key}: no answer in {TRIES} tries");
}

/// Waits until all have ended; gives up when nothing is recorded any more although every run was looked at once again.
#[expect(clippy::disallowed_methods, reason = "gives up after a bounded time")]
async fn all_end(deployment: &Deployment, storm: &Storm, runs: &[String]) {
    let mut open = runs.to_vec();
    let (mut appends, mut progress) = (0, Instant::now());
    let mut told = Instant::now();
    while !open.is_empty() {
        let looked_at = &open[..open.len().min(AT_ONCE)];
        let views = join_all(looked_at.iter().map(|run| deployment.run(run))).await;
        let mut views = views.iter();
        let looked_for = open.len();
        open.retain(|_| views.next().is_none_or(|view| view["finished_at"].is_null()));
        let recorded = storm.counts().appends;
        if recorded > appends {
            (appends, progress) = (recorded, Instant::now());
        }
        if told.elapsed() >= TOLD {
            told = Instant::now();
            println!("{} of {} runs have ended", runs.len() - open.len(), runs.len());
            if progress.elapsed() >= PATIENCE {
                println!(
                    "nothing is recorded any more; open: {}",
                    last_words(deployment, &open).await
                );
            }
        }
        assert!(
            progress.elapsed() < PATIENCE + Duration::from_millis(CHECK_LAST_MS),
            "{} runs do not end: {}",
            open.len(),
            last_words(deployment, &open).await
        );
        if open.len() == looked_for {
            // The more there is to do, the less looking on may cost.
            tokio::time::sleep(LOOK.saturating_mul(u32::try_from(open.len()).unwrap_or(1))).await;
        }
    }
}

/// What was recorded last of the first of these runs.
async fn last_words(deployment: &Deployment, runs: &[String]) -> String {
    const TOLD_MAX: usize = 5;
    const EVENTS: usize = 6;
    let mut words = String::new();
    for run in &runs[..runs.len().min(TOLD_MAX)] {
        let history = deployment.history(run).await;
        let last = &history[history.len().saturating_sub(EVENTS)..];
        let last: Vec<String> = last
            .iter()
            .map(|event| format!("{} {} {}", event["at"], event["type"], event["task"]))
            .collect();
        words += &format!("\n  {run}: {}", last.join(", "));
    }
    words
}

async fn ended_well(deployment: &Deployment, run: &str) -> usize {
    let view = deployment.run(run).await;
    assert_eq!(view["status"], "SUCCESS", "{view}");
    let history = deployment.history(run).await;
    let count = |kind: &str| history.iter().filter(|event| event["type"] == kind).count();
    let succeeded: HashSet<&str> = history
        .iter()
        .filter(|event| event["type"] == "TASK_SUCCEEDED")
        .filter_map(|event| event["task"].as_str())
        .collect();
    assert_eq!(
        (succeeded.len(), count("TASK_SUCCEEDED"), count("TASK_QUEUED")),
        (TASKS, TASKS, TASKS),
        "every task once: {history:?}"
    );
    count("RUN_PRIORITY_CHANGED")
}

/// Everything that was given up on, once there is nothing left to be delivered.
async fn given_up(deployment: &Deployment) -> [Vec<String>; 2] {
    let config = &deployment.world.config;
    let mut dead = [Vec::new(), Vec::new()];
    eventually("the queues are empty", async || {
        let mut waiting = 0;
        for queue in [&config.decisions_queue, &config.task_events_queue] {
            let request = deployment
                .world
                .clients
                .sqs
                .get_queue_attributes()
                .queue_url(queue);
            let request = request
                .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
                .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
            let attributes = request
                .send()
                .await
                .expect("a queue")
                .attributes
                .unwrap_or_default();
            waiting += attributes.values().filter(|count| *count != "0").count();
        }
        for (queue, dead) in deployment.dead_letters.iter().zip(&mut dead) {
            dead.extend(deployment.dead(queue).await);
        }
        (waiting == 0).then_some(())
    })
    .await;
    dead.each_mut().map(|dead| {
        dead.sort();
        std::mem::take(dead)
    })
}

async fn poison(deployment: &Deployment) {
    let config = &deployment.world.config;
    let sqs = &deployment.world.clients.sqs;
    for body in POISON {
        let request = sqs
            .send_message()
            .queue_url(&config.decisions_queue)
            .message_body(body);
        request.send().await.expect("a queue");
        let request = sqs
            .send_message()
            .queue_url(&config.task_events_queue)
            .message_body(body);
        let request = request
            .message_group_id("poison")
            .message_deduplication_id(body.len().to_string());
        request.send().await.expect("a queue");
    }
}

/// The pools of which slots are in use or waited for, with who holds them and who waits.
async fn in_use(deployment: &Deployment) -> Vec<Value> {
    let view = deployment.ask(&Request::new("GET", "/pools")).await.json();
    let pools = view["pools"]
        .as_array()
        .unwrap_or_else(|| panic!("no pools: {view}"));
    let is_in_use = |pool: &&Value| ["used", "waiting"].iter().any(|name| pool[*name] != 0);
    pools.iter().filter(is_in_use).cloned().collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the test; it says how long it took"
)]
#[tokio::test(flavor = "multi_thread")]
async fn runs_end_correctly_whatever_goes_wrong_and_dead_letters_are_only_poison() {
    let wanted = std::env::var(RUNS)
        .ok()
        .map(|runs| runs.parse().expect("a number of runs"));
    let count = wanted.unwrap_or(RUNS_BY_DEFAULT);
    // At the peak, twice as many tasks could run.
    let limits = format!("resource_limits: {{max_concurrent_cpu_tasks: {count}}}");
    let configuration = format!("master_orchestrator: {{decision: {{{limits}}}}}");
    let storm = Arc::new(Storm::default());
    let judge = Arc::clone(&storm);
    let proxy = Proxy::start(Emulator::shared().endpoint(), move |call| judge.judge(call));
    let environment = ["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_DYNAMODB"];
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        configuration: &configuration,
        environment: environment.map(|name| (name, proxy.endpoint.clone())).to_vec(),
        visibility_seconds: VISIBILITY_SECONDS,
        has_observer: true,
        ..Wanted::default()
    });
    let deployment = Arc::new(deployment.await);
    let rival = (Arc::clone(&deployment), Handle::current());
    assert!(storm.rival.set(rival).is_ok(), "there is one rival");
    let mut agents = Agents::default();
    let reports = AtomicUsize::new(0);
    agents.hire(&deployment, "writer", 8, move |_| {
        let is_doubled = reports.fetch_add(1, Ordering::Relaxed).is_multiple_of(DOUBLED);
        let times = if is_doubled { 2 } else { 1 };
        vec![success(json!({"rows": 1})); times]
    });
    let mut schedule = JoinSet::new();
    let ticking = Arc::clone(&deployment);
    schedule.spawn(async move {
        let tick = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        loop {
            // It may be killed, too: then the next one does it.
            let _ = ticking.call("sla_sweep", &tick).await;
            tokio::time::sleep(TICK).await;
        }
    });
    poison(&deployment).await;

    let begin = Instant::now();
    let keys: Vec<String> = (0..count).map(|index| format!("run-{index}")).collect();
    let mut runs = Vec::new();
    for keys in keys.chunks(AT_ONCE) {
        runs.extend(join_all(keys.iter().map(|key| submit(&deployment, key))).await);
    }
    assert_eq!(
        runs.iter().collect::<HashSet<_>>().len(),
        count,
        "one run for each key"
    );
    all_end(&deployment, &storm, &runs).await;
    let seconds = begin.elapsed().as_secs_f64();
    let mut overtaken = 0;
    for runs in runs.chunks(AT_ONCE) {
        let ended = join_all(runs.iter().map(|run| ended_well(&deployment, run))).await;
        overtaken += ended.into_iter().sum::<usize>();
    }
    let mut told = Instant::now();
    eventually("all slots are given back", async || {
        let in_use = in_use(&deployment).await;
        if told.elapsed() >= TOLD {
            told = Instant::now();
            println!("still in use: {in_use:?}");
        }
        in_use.is_empty().then_some(())
    })
    .await;
    let mut poison = POISON.map(str::to_owned);
    poison.sort();
    assert_eq!(given_up(&deployment).await, [poison.to_vec(), poison.to_vec()]);

    let counts = storm.counts();
    println!(
        "{count} runs in {seconds:.0} s, looked at after {:.0} s: {} invocations, {} killed; {} messages, {} times sent twice; {} calls to the table, \
         {} throttled, {} not answered, {:?}; {} later appends, {overtaken} overtaken",
        begin.elapsed().as_secs_f64(),
        counts.invocations.len(),
        counts.killed.len(),
        counts.messages,
        counts.doubled,
        counts.calls,
        counts.throttled,
        counts.unanswered,
        counts.operations,
        counts.appends,
    );
    let kills = (counts.killed.len() + DEATHS.len()) * KILLED;
    assert!(kills > counts.invocations.len(), "one in {KILLED} is killed");
    assert!(
        counts.doubled * 2 * DOUBLED > counts.messages,
        "one message in {DOUBLED} is doubled"
    );
    assert!(
        overtaken * 3 > counts.overtaken,
        "only {overtaken} of {} were overtaken",
        counts.overtaken
    );
}
