//! Agents that take their tasks from queues.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::deployment::Deployment;

/// What an agent does: from an envelope to its reports, in the order they are sent.
pub type Work = dyn Fn(&Value) -> Vec<Value> + Send + Sync;

/// Agents at work; they stop when this is dropped.
#[derive(Default)]
pub struct Agents(JoinSet<()>);

impl Agents {
    /// Lets so many workers take tasks of this agent.
    pub fn hire(
        &mut self,
        deployment: &Deployment,
        agent: &str,
        workers: usize,
        work: impl Fn(&Value) -> Vec<Value> + Send + Sync + 'static,
    ) {
        let work: Arc<Work> = Arc::new(work);
        for _ in 0..workers {
            let worker = Worker {
                sqs: deployment.world.clients.sqs.clone(),
                payloads: deployment.world.payloads(),
                tasks: deployment.agent_queue(agent),
                task_events: deployment.world.config.task_events_queue.clone(),
                work: Arc::clone(&work),
            };
            self.0.spawn(worker.take_tasks());
        }
    }
}

struct Worker {
    sqs: aws_sdk_sqs::Client,
    payloads: orchestrator_aws::payloads::Payloads,
    tasks: String,
    task_events: String,
    work: Arc<Work>,
}

impl Worker {
    async fn take_tasks(self) {
        loop {
            let request = self.sqs.receive_message().queue_url(&self.tasks);
            let received = request.wait_time_seconds(1).send().await;
            // The emulator may be ending.
            let Ok(received) = received else { return };
            for message in received.messages.unwrap_or_default() {
                let text = message.body.expect("a message has a body");
                let text = self.payloads.unfold(text).await.expect("a readable envelope");
                let envelope: Value = serde_json::from_str(&text).expect("an envelope");
                let work = Arc::clone(&self.work);
                let task = envelope.clone();
                let reports = tokio::task::spawn_blocking(move || work(&task));
                for (index, report) in reports
                    .await
                    .expect("agents do not panic")
                    .into_iter()
                    .enumerate()
                {
                    self.report(&envelope, report, index).await;
                }
                let delete = self.sqs.delete_message().queue_url(&self.tasks);
                let deleted = delete.set_receipt_handle(message.receipt_handle).send().await;
                deleted.expect("a message that was received");
            }
        }
    }

    async fn report(&self, envelope: &Value, mut report: Value, index: usize) {
        for name in ["run_id", "task_id", "epoch", "attempt", "token"] {
            report[name] = envelope[name].clone();
        }
        let text = |name: &str| envelope[name].to_string().replace('"', "");
        let run = text("run_id");
        let said = format!(
            "{run}-{}-{}-{}-{index}",
            text("task_id").replace(['[', ']'], "_"),
            text("epoch"),
            text("attempt")
        );
        let request = self.sqs.send_message().queue_url(&self.task_events);
        let sent = request
            .message_group_id(run)
            .message_deduplication_id(said)
            .message_body(report.to_string())
            .send();
        sent.await.expect("a queue for reports");
    }
}

/// Says something about an attempt, whoever works on it by now.
pub async fn say(deployment: &Deployment, envelope: &Value, report: Value) {
    let worker = Worker {
        sqs: deployment.world.clients.sqs.clone(),
        payloads: deployment.world.payloads(),
        tasks: String::new(),
        task_events: deployment.world.config.task_events_queue.clone(),
        work: Arc::new(|_: &Value| Vec::new()),
    };
    const LATER: usize = 1_000;
    worker.report(envelope, report, LATER).await;
}

/// Succeeds at once with this output.
pub fn success(output: Value) -> Value {
    json!({"type": "TASK_SUCCESS", "output": output})
}

/// An agent that is a command, run as the embedded host runs it. `folder` is where it starts, `files` where it works.
pub fn command(program: &str, folder: &Path, files: &Path, envelope: &Value) -> Vec<Value> {
    let text = |name: &str| envelope[name].as_str().unwrap_or_default().to_owned();
    let run = files.join(text("run_id"));
    let own = run.join(format!("{}-{}", text("task_id"), envelope["attempt"]));
    let checkpoints = run.join("checkpoints").join(text("task_id"));
    let shared = run.join("files");
    for folder in [&own, &checkpoints, &shared] {
        fs::create_dir_all(folder).expect("a writable folder");
    }
    let (given, made) = (own.join("envelope.json"), own.join("output.json"));
    fs::write(&given, envelope.to_string()).expect("a writable folder");
    let stdin = fs::File::open(&given).expect("it was written");
    let variables: BTreeMap<&str, PathBuf> = BTreeMap::from([
        ("ORCHESTRATOR_ENVELOPE", given),
        ("ORCHESTRATOR_OUTPUT", made.clone()),
        ("ORCHESTRATOR_RUN_DIR", shared),
        ("ORCHESTRATOR_CHECKPOINT_DIR", checkpoints),
    ]);
    let done = Command::new("python3")
        .arg(program)
        .current_dir(folder)
        .stdin(stdin)
        .envs(variables)
        .env("ORCHESTRATOR_RUN_ID", text("run_id"))
        .env("ORCHESTRATOR_TASK_ID", text("task_id"))
        .env("ORCHESTRATOR_ATTEMPT", envelope["attempt"].to_string())
        .output()
        .expect("Python 3 is installed");
    let started = json!({"type": "TASK_STARTED"});
    if done.status.success() {
        let output = fs::read(made).map_or(Value::Null, |made| {
            serde_json::from_slice(&made).expect("the output is JSON")
        });
        return vec![started, success(output)];
    }
    let class = match done.status.code() {
        Some(75) => "transient",
        _ => "error",
    };
    let printed = String::from_utf8_lossy(&done.stderr).into_owned();
    let message = printed.lines().last().unwrap_or("it failed");
    vec![
        started,
        json!({"type": "TASK_FAILURE", "error": {"class": class, "message": message}}),
    ]
}
