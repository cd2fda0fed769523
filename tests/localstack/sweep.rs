//! The sweep finds what was lost.

use orchestrator_aws::clock::SystemClock;
use orchestrator_engine::ports::Clock as _;
use orchestrator_functions::metrics;
use serde_json::{Value, json};

use crate::agents::{Agents, success};
use crate::deployment::{Deployment, Wanted};
use crate::workflows::DIAMOND;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_messages_were_lost_goes_on_after_a_sweep() {
    let stack = vec![(metrics::STACK, "orchestrator-test".to_owned())];
    let (deployment, _agents, run) = stuck(Wanted {
        environment: stack,
        ..Wanted::default()
    })
    .await;
    let tick = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    let nothing = json!({"batchItemFailures": []});
    // It is looked at after a minute; the test does not wait for that.
    assert_eq!(deployment.call("sla_sweep", &tick).await, Ok(nothing));
    assert_eq!(deployment.run(&run).await["status"], "RUNNING");
    deployment.look_at(&run, 1).await;
    let log = deployment.log_of_call("sla_sweep", &tick).await;
    let lag = lag_seconds(&log);
    assert!(lag > 1e6, "it is late by as much as the time since 1970: {lag}");
    assert_eq!(deployment.ended(&run).await["status"], "SUCCESS");
}

/// A tick of the schedule comes once a minute; what becomes due in between is looked at all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_due_between_two_ticks_is_swept_in_between() {
    let (deployment, _agents, run) = stuck(Wanted {
        configuration: "master_orchestrator: {sla: {check_interval_seconds: 5}}",
        ..Wanted::default()
    })
    .await;
    let now = SystemClock.now();
    deployment.look_at(&run, now.plus_millis(2_000).0).await;
    let tick = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    let nothing = json!({"batchItemFailures": []});
    assert_eq!(deployment.call("sla_sweep", &tick).await, Ok(nothing));
    assert_eq!(
        deployment.run(&run).await["status"],
        "RUNNING",
        "it is not due yet"
    );
    deployment.deliver(&deployment.sweeps_queue, "sla_sweep").await;
    assert_eq!(deployment.ended(&run).await["status"], "SUCCESS");
}

/// A run whose first message was lost, in a deployment in which everything else is delivered.
async fn stuck(wanted: Wanted<'_>) -> (Deployment, Agents, String) {
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        is_manual: true,
        ..wanted
    })
    .await;
    let mut agents = Agents::default();
    agents.hire(&deployment, "writer", 1, |_| vec![success(Value::Null)]);
    let run = deployment.submit(DIAMOND).await;
    let config = &deployment.world.config;
    let lost = deployment.dead(&config.decisions_queue).await;
    assert_eq!(lost.len(), 1, "{lost:?}");
    deployment.deliver(&config.decisions_queue, "decision").await;
    deployment.deliver(&config.task_events_queue, "task_events").await;
    (deployment, agents, run)
}

/// The metric that the alarm of late sweeps looks at, from the log.
fn lag_seconds(log: &str) -> f64 {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut metrics = lines.filter(|line| line["_aws"].is_object() && line["Stack"] == "orchestrator-test");
    let line = metrics.next().unwrap_or_else(|| panic!("no metric among: {log}"));
    line["SweepLagSeconds"].as_f64().expect("a number")
}
