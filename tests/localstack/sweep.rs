//! The sweep finds what was lost.

use aws_sdk_dynamodb::types::AttributeValue;
use orchestrator_functions::metrics;
use serde_json::{Value, json};

use crate::agents::{Agents, success};
use crate::deployment::{Deployment, Wanted};
use crate::workflows::DIAMOND;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_messages_were_lost_goes_on_after_a_sweep() {
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        is_manual: true,
        environment: vec![(metrics::STACK, "orchestrator-test".to_owned())],
        ..Wanted::default()
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

    let tick = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    let nothing = json!({"batchItemFailures": []});
    // It is looked at after a minute; the test does not wait for that.
    assert_eq!(deployment.call("sla_sweep", &tick).await, Ok(nothing));
    assert_eq!(deployment.run(&run).await["status"], "RUNNING");
    let update = deployment.world.clients.dynamodb.update_item();
    update
        .table_name(&config.table)
        .key("PK", AttributeValue::S(format!("RUN#{run}")))
        .key("SK", AttributeValue::S("J#0000000001".to_owned()))
        .update_expression("SET due_at = :at")
        .expression_attribute_values(":at", AttributeValue::N("1".to_owned()))
        .send()
        .await
        .expect("the run's first append");
    let log = deployment.log_of_call("sla_sweep", &tick).await;
    let lag = lag_seconds(&log);
    assert!(lag > 1e6, "it is late by as much as the time since 1970: {lag}");
    assert_eq!(deployment.ended(&run).await["status"], "SUCCESS");
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
