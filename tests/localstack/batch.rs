//! Tasks as AWS Batch jobs.
//!
//! The emulator's Batch is a stand-in of ours: see `infra/localstack/emulator/batch_job.py`.

use aws_sdk_batch::types::{ContainerProperties, JobDefinitionType, JobStatus, KeyValuePair};
use emulator::PACKAGES;
use orchestrator_aws::env;
use serde_json::{Value, json};
use tests::requests::Request;

use crate::deployment::{Deployment, Wanted, eventually};

/// An agent in a job: its first attempt dies without a word, the second one reports.
const AGENT: &str = r#"
import json, os, signal, boto3
if os.environ["ORCHESTRATOR_ATTEMPT"] == "1":
    os.kill(os.getpid(), signal.SIGKILL)
envelope = json.loads(os.environ["ORCHESTRATOR_INPUT"])
report = {name: envelope[name] for name in ("run_id", "task_id", "epoch", "attempt")}
report.update(type="TASK_SUCCESS", token=os.environ["ORCHESTRATOR_TASK_TOKEN"], output={"trained": True})
sqs = boto3.client("sqs", region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(report),
                 MessageGroupId=envelope["run_id"], MessageDeduplicationId="only")
"#;

/// The default policy has this agent on GPUs.
const WORKFLOW: &str = "\
name: train
tasks:
  - {id: train, agent: ml_agent, action: train, retry: {max_retries: 1, backoff_base_s: 0.1}}
";

/// A deployment whose GPU tasks are jobs of this definition.
pub async fn deploy(environment: &[(&str, &str)], command: &[&str]) -> Deployment {
    let target = json!({"gpu": {"queue": "gpu", "definition": "gpu"}}).to_string();
    let deployment = Deployment::new(Wanted {
        agents: &["noop"],
        environment: vec![(env::BATCH, target)],
        ..Wanted::default()
    })
    .await;
    let batch = &deployment.world.clients.batch;
    let policy = batch.create_scheduling_policy().name("fair-share");
    let policy = policy.send().await.expect("a policy").arn;
    let queue = batch.create_job_queue().job_queue_name("gpu").priority(1);
    queue
        .set_scheduling_policy_arn(policy)
        .set_compute_environment_order(Some(Vec::new()))
        .send()
        .await
        .expect("a queue of jobs");
    let pair = |(name, value): (&str, &str)| KeyValuePair::builder().name(name).value(value).build();
    let queue = deployment.world.config.task_events_queue.as_str();
    let variables = environment.iter().copied().chain([("QUEUE", queue)]);
    let container = ContainerProperties::builder()
        .image("none")
        .set_command(Some(command.iter().map(|&part| part.to_owned()).collect()))
        .set_environment(Some(variables.map(pair).collect()));
    batch
        .register_job_definition()
        .job_definition_name("gpu")
        .r#type(JobDefinitionType::Container)
        .container_properties(container.build())
        .send()
        .await
        .expect("a definition of jobs");
    let events = &deployment.world.clients.eventbridge;
    let pattern = json!({"source": ["aws.batch"], "detail-type": ["Batch Job State Change"], "detail": {"status": ["SUCCEEDED", "FAILED"]}});
    events
        .put_rule()
        .name("jobs")
        .event_pattern(pattern.to_string())
        .send()
        .await
        .expect("a rule");
    let function = deployment.lambda.get_function_configuration();
    let function = function
        .function_name("task_events")
        .send()
        .await
        .expect("a function");
    let target = aws_sdk_eventbridge::types::Target::builder()
        .id("task_events")
        .arn(function.function_arn.expect("a function has an ARN"));
    events
        .put_targets()
        .rule("jobs")
        .targets(target.build().expect("a target has id and ARN"))
        .send()
        .await
        .expect("a target");
    deployment
}

/// The id of the job that runs, once one does.
pub async fn running(deployment: &Deployment) -> String {
    eventually("a job runs", async || {
        let request = deployment.world.clients.batch.list_jobs().job_queue("gpu");
        let jobs = request
            .job_status(JobStatus::Running)
            .send()
            .await
            .expect("a list of jobs");
        jobs.job_summary_list
            .unwrap_or_default()
            .into_iter()
            .find_map(|job| job.job_id)
    })
    .await
}

/// Why a job was terminated, once it is.
pub async fn terminated(deployment: &Deployment, job: &str) -> String {
    eventually("the job is terminated", async || {
        let request = deployment.world.clients.batch.describe_jobs().jobs(job);
        let job = request
            .send()
            .await
            .expect("a job")
            .jobs
            .unwrap_or_default()
            .pop()?;
        let is_over = job.status == Some(JobStatus::Failed) && job.is_terminated == Some(true);
        is_over.then(|| job.status_reason.unwrap_or_default())
    })
    .await
}

async fn attempts(deployment: &Deployment, run: &str) -> Vec<(Value, Value, Value)> {
    let path = format!("/runs/{run}/tasks/train");
    let task = deployment.ask(&Request::new("GET", &path)).await.json();
    let attempts = task["attempts"].as_array().expect("attempts").clone();
    attempts
        .into_iter()
        .map(|attempt| {
            let error = &attempt["error"];
            (
                attempt["status"].clone(),
                error["class"].clone(),
                error["exit_code"].clone(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_dies_without_a_report_is_tried_again() {
    let python = PACKAGES.python().unwrap_or_else(|problem| panic!("{problem}"));
    let python = python.to_str().expect("a readable path").to_owned();
    let deployment = deploy(&[("EMULATOR_RUN", "1")], &[&python, "-c", AGENT]).await;
    let run = deployment.submit(WORKFLOW).await;
    let view = deployment.ended(&run).await;
    assert_eq!(view["status"], "SUCCESS", "{view}");
    let killed = (json!("FAILED"), json!("error"), json!(137));
    let done = (json!("SUCCESS"), json!(null), json!(null));
    assert_eq!(attempts(&deployment, &run).await, [killed, done]);
    let path = format!("/runs/{run}/tasks/train");
    let task = deployment.ask(&Request::new("GET", &path)).await.json();
    assert_eq!(task["output"], json!({"trained": true}));
    let refused = deployment.history(&run).await;
    assert!(
        refused.iter().all(|event| event["type"] != "REPORT_REFUSED"),
        "the end of a job adds nothing to what its agent said: {refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_goes_away_is_told_apart_from_work_that_fails() {
    let deployment = deploy(&[("EMULATOR_HOST_TERMINATED", "9")], &[]).await;
    let run = deployment.submit(WORKFLOW).await;
    // The task has one retry; attempts whose machine went away are not its fault and do not use it up.
    let seen = eventually("the third attempt", async || {
        let attempts = attempts(&deployment, &run).await;
        (attempts.len() > 2).then_some(attempts)
    });
    let lost = (json!("FAILED"), json!("lost"), json!(null));
    assert_eq!(seen.await[..2], [lost.clone(), lost]);
    let cancel = format!("/runs/{run}/cancel");
    deployment.ask(&Request::new("POST", &cancel)).await;
    assert_eq!(deployment.ended(&run).await["status"], "CANCELLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_a_program_that_does_not_report_succeeds_with_its_exit_code() {
    let deployment = deploy(&[], &[]).await;
    let run = deployment.submit(WORKFLOW).await;
    assert_eq!(deployment.ended(&run).await["status"], "SUCCESS");
}
