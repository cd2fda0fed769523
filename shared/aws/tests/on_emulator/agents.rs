//! Attempts on their way to agents, and events on their way to the world.

use crate::world::World;
use crate::world::process::{Process, load, submit, task};
use aws_sdk_batch::types::{
    ContainerProperties, FairsharePolicy, JobDefinitionType, JobDetail, KeyValuePair,
};
use aws_sdk_eventbridge::types::Target;
use orchestrator_aws::compute::batch::{JobChange, ORCHESTRATOR_INPUT, job_name};
use orchestrator_aws::env::{BatchTarget, PublishedEvents};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Command, RunStatus};
use orchestrator_engine::ports::messages::{Body, Recovery};
use serde_json::{Value, json};

const QUEUE: &str = "gpu";

/// A queue for jobs that go on until they are stopped.
async fn with_jobs(world: &mut World) {
    let batch = &world.clients.batch;
    let shares = FairsharePolicy::builder().share_decay_seconds(60).build();
    let policy = batch
        .create_scheduling_policy()
        .name("fair")
        .fairshare_policy(shares)
        .send()
        .await;
    let policy = policy.expect("a policy").arn.expect("it has an ARN");
    let queue = batch.create_job_queue().job_queue_name(QUEUE).priority(1);
    queue
        .scheduling_policy_arn(policy)
        .send()
        .await
        .expect("a job queue");
    let hangs = KeyValuePair::builder().name("EMULATOR_HANG").value("1").build();
    let container = ContainerProperties::builder()
        .image("none")
        .environment(hangs)
        .build();
    let definition = batch.register_job_definition().job_definition_name("agents");
    let definition = definition
        .r#type(JobDefinitionType::Container)
        .container_properties(container);
    definition.send().await.expect("a job definition");
    let target = BatchTarget {
        queue: QUEUE.to_owned(),
        definition: "agents".to_owned(),
    };
    world.config.agents.batch.insert("gpu".to_owned(), target);
}

async fn jobs(world: &World, name: &str) -> Vec<JobDetail> {
    let by_name = aws_sdk_batch::types::KeyValuesPair::builder()
        .name("JOB_NAME")
        .values(name)
        .build();
    let listed = world
        .clients
        .batch
        .list_jobs()
        .job_queue(QUEUE)
        .filters(by_name)
        .send()
        .await;
    let ids = listed.expect("a queue").job_summary_list.unwrap_or_default();
    let ids: Vec<String> = ids.into_iter().filter_map(|job| job.job_id).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let described = world
        .clients
        .batch
        .describe_jobs()
        .set_jobs(Some(ids))
        .send()
        .await;
    described.expect("known jobs").jobs.unwrap_or_default()
}

/// A run of one GPU task, dispatched.
async fn dispatched(process: &Process) -> (RunId, String) {
    let mut train = task("train", &[]);
    train["resources"] = json!({"class": "gpu"});
    let run = submit(process, &json!([train])).await;
    process
        .handle(run, &[Body::Recover(Recovery::EVERYTHING)])
        .await
        .expect("handled");
    let key = load(process, run).await.live().next().expect("a live attempt");
    (run, job_name(key))
}

#[tokio::test]
async fn a_gpu_task_becomes_one_job_however_often_it_is_handed_over() {
    let mut world = World::new().await;
    with_jobs(&mut world).await;
    let process = world.process().await;
    let (run, name) = dispatched(&process).await;
    process
        .handle(run, &[Body::Recover(Recovery::EVERYTHING)])
        .await
        .expect("handed over again");
    let found = jobs(&world, &name).await;
    assert_eq!(found.len(), 1, "the job that is there is found by its name");
    let job = &found[0];
    assert_eq!(
        (job.share_identifier.as_deref(), job.scheduling_priority),
        (Some("tester"), Some(500))
    );
    let variables = job
        .container
        .as_ref()
        .and_then(|container| container.environment.clone())
        .unwrap_or_default();
    let variable = |name: &str| {
        let found = variables.iter().find(|pair| pair.name.as_deref() == Some(name));
        found
            .and_then(|pair| pair.value.clone())
            .unwrap_or_else(|| panic!("{name} is set"))
    };
    let input: Value = serde_json::from_str(&variable(ORCHESTRATOR_INPUT)).expect("an envelope");
    assert_eq!(
        (&input["task_id"], &input["token"]),
        (&json!("train"), &json!(variable("ORCHESTRATOR_TASK_TOKEN")))
    );
    assert_eq!(variable("ORCHESTRATOR_RUN_ID"), run.to_string());
    assert!(variable("TRACEPARENT").starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
}

#[tokio::test]
async fn cancelling_a_run_terminates_its_jobs() {
    let mut world = World::new().await;
    with_jobs(&mut world).await;
    let process = world.process().await;
    let (run, name) = dispatched(&process).await;
    let cancel = Command::Cancel {
        by: "tester".to_owned(),
        reason: "enough".to_owned(),
    };
    process.operate(run, cancel).await.expect("cancelled");
    let mut status = String::new();
    for _ in 0..200 {
        let job = jobs(&world, &name).await.remove(0);
        status = job
            .status
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default();
        if status == "FAILED" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the job is still {status}");
}

#[tokio::test]
async fn a_job_that_dies_without_a_report_is_an_attempt_that_was_lost() {
    let mut world = World::new().await;
    with_jobs(&mut world).await;
    let process = world.process().await;
    let (run, name) = dispatched(&process).await;
    let change: JobChange = serde_json::from_value(json!({
        "jobName": name, "status": "FAILED", "statusReason": "Host EC2 (instance i-1) terminated.", "container": {},
    }))
    .expect("a change");
    let (key, report) = change.report().expect("it is about an attempt");
    assert_eq!(key.run, run);
    process
        .handle(run, &[Body::Reports(vec![report])])
        .await
        .expect("handled");
    let state = load(&process, run).await;
    assert_eq!(state.node(key.node).losses, 1);
    assert_eq!(state.status, RunStatus::Running, "another attempt follows");
}

#[tokio::test]
async fn envelopes_too_large_for_a_job_go_through_the_bucket() {
    let mut world = World::new().await;
    with_jobs(&mut world).await;
    let process = world.process().await;
    let mut train = task("train", &[]);
    train["resources"] = json!({"class": "gpu"});
    train["params"] = json!({"text": "x".repeat(20_000)});
    let run = submit(&process, &json!([train])).await;
    process
        .handle(run, &[Body::Recover(Recovery::EVERYTHING)])
        .await
        .expect("handled");
    let key = load(&process, run).await.live().next().expect("a live attempt");
    let job = jobs(&world, &job_name(key)).await.remove(0);
    let variables = job
        .container
        .and_then(|container| container.environment)
        .unwrap_or_default();
    let input = variables
        .into_iter()
        .find(|pair| pair.name.as_deref() == Some(ORCHESTRATOR_INPUT));
    let input = input.and_then(|pair| pair.value).expect("it is set");
    assert!(input.len() < 1_000, "a reference");
    let envelope = world.payloads().unfold(input).await.expect("readable");
    assert!(envelope.contains(&"x".repeat(20_000)));
}

#[tokio::test]
async fn ends_are_published_with_names_and_sequence() {
    let mut world = World::new().await;
    world.config.events = PublishedEvents::Task;
    let queue = world
        .clients
        .sqs
        .create_queue()
        .queue_name("seen")
        .send()
        .await
        .expect("a queue");
    let queue = queue.queue_url.expect("it has a URL");
    let account = queue
        .rsplit('/')
        .nth(1)
        .expect("a URL with an account")
        .to_owned();
    let arn = format!("arn:aws:sqs:{}:{account}:seen", crate::world::REGION);
    let bridge = &world.clients.eventbridge;
    let pattern = json!({"source": ["master-orchestrator"]}).to_string();
    let rule = bridge
        .put_rule()
        .name("all")
        .event_bus_name("orchestrator")
        .event_pattern(pattern);
    rule.send().await.expect("a rule");
    let target = Target::builder().id("queue").arn(arn).build().expect("a target");
    let targets = bridge
        .put_targets()
        .rule("all")
        .event_bus_name("orchestrator")
        .targets(target);
    targets.send().await.expect("a target");
    let process = world.process().await;
    let run = submit(&process, &json!([task("a", &[])])).await;
    world.work(run, &[process], &json!({"rows": 2})).await;
    let mut seen: Vec<(String, Value)> = Vec::new();
    for _ in 0..100 {
        for message in world.receive(&queue).await {
            let event: Value = serde_json::from_str(&message.body.expect("a body")).expect("an event");
            seen.push((
                event["detail-type"].as_str().unwrap_or_default().to_owned(),
                event["detail"].clone(),
            ));
        }
        if seen.iter().any(|(kind, _)| kind == "RUN_SUCCEEDED") && seen.len() >= 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    seen.sort_by_key(|(_, detail)| (detail["seq"].as_u64(), detail["index"].as_u64()));
    let kinds: Vec<&str> = seen.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["RUN_SUBMITTED", "RUN_ADMITTED", "TASK_SUCCEEDED", "RUN_SUCCEEDED"]
    );
    let (_, task) = &seen[2];
    assert_eq!((&task["task"], &task["run_id"]), (&json!("a"), &json!(run)));
    assert_eq!(seen[3].1["run_status"], json!("SUCCESS"));
}
