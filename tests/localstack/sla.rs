//! Deadlines: alerts on EventBridge, and what a breach leads to for a consumer of a queue.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::agents::{Agents, success};
use crate::deployment::{Deployment, Wanted, eventually};

/// One task with these deadlines.
fn workflow(sla: &str) -> String {
    format!(
        "name: late\ntasks:\n  - {{id: a, agent: writer, action: write, sla: {sla}, retry: {{max_retries: 3, backoff_base_s: 0.1}}}}\n"
    )
}

async fn deployment() -> Deployment {
    Deployment::new(Wanted {
        agents: &["writer"],
        ..Wanted::default()
    })
    .await
}

/// A queue that gets what EventBridge is told about deadlines.
async fn alerts_queue(deployment: &Deployment) -> String {
    deployment
        .subscribe(&["SlaWarning", "SlaBreached", "SlaResolved"])
        .await
}

/// Waits for so many alerts; then for any more that should not come.
async fn alerts(deployment: &Deployment, queue: &str, count: usize) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let take = async |found: &mut Vec<Value>| {
        let messages = deployment.world.receive(queue).await;
        let texts = messages.into_iter().filter_map(|message| message.body);
        found.extend(texts.map(|text| serde_json::from_str::<Value>(&text).expect("an event")));
        found.len()
    };
    eventually("alerts", async || (take(&mut found).await >= count).then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    take(&mut found).await;
    found
}

fn kinds(alerts: &[Value]) -> Vec<&str> {
    alerts
        .iter()
        .map(|alert| alert["detail-type"].as_str().unwrap_or_default())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_nobody_starts_is_said_once_on_eventbridge_though_two_sweeps_look() {
    let deployment = deployment().await;
    let queue = alerts_queue(&deployment).await;
    let run = deployment
        .submit(&workflow("{queue_max_seconds: 2, warn_percent: 100}"))
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    deployment.look_at(&run, 1).await;
    let tick = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    let (one, other) = join(
        deployment.call("sla_sweep", &tick),
        deployment.call("sla_sweep", &tick),
    )
    .await;
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    let alerts = alerts(&deployment, &queue, 1).await;
    assert_eq!(kinds(&alerts), ["SlaBreached"], "{alerts:?}");
    let detail = &alerts[0]["detail"];
    assert_eq!((&detail["run_id"], &detail["task"]), (&json!(run), &json!("a")));
    assert_eq!(deployment.run(&run).await["violations"][0]["kind"], "queue");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_attempt_of_a_consumer_is_made_again_and_the_old_message_does_no_harm() {
    let deployment = deployment().await;
    let run = deployment
        .submit(&workflow(
            "{queue_max_seconds: 3, warn_percent: 100, on_breach: retry}",
        ))
        .await;
    eventually("a second attempt", async || {
        let shown = deployment.run(&run).await;
        (shown["tasks"][0]["attempt"].as_u64() >= Some(2)).then_some(())
    })
    .await;
    let mut agents = Agents::default();
    agents.hire(&deployment, "writer", 2, |_| vec![success(Value::Null)]);
    assert_eq!(deployment.ended(&run).await["status"], "SUCCESS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_task_of_a_consumer_is_cancelled() {
    let deployment = deployment().await;
    let queue = alerts_queue(&deployment).await;
    let run = deployment
        .submit(&workflow(
            "{queue_max_seconds: 2, warn_percent: 100, on_breach: cancel}",
        ))
        .await;
    let ended = deployment.ended(&run).await;
    assert_eq!(
        (&ended["status"], &ended["tasks"][0]["status"]),
        (&json!("FAILED"), &json!("CANCELLED"))
    );
    let alerts = alerts(&deployment, &queue, 2).await;
    assert_eq!(kinds(&alerts), ["SlaBreached", "SlaResolved"], "{alerts:?}");
}
