//! A process of the deployment: an engine with its own clients and memory, and what drives it.

use std::sync::Arc;

use orchestrator_aws::host::AwsHost;
use orchestrator_aws::messages::Queues;
use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::{Carrier, Report, ReportKind, RunState};
use orchestrator_core::workflow::{Limits, parse};
use orchestrator_engine::engine::Engine;
use orchestrator_engine::ports::Clock;
use orchestrator_engine::ports::messages::{Body, Message};
use orchestrator_engine::settings::{self, Settings};
use orchestrator_engine::submit::Request;
use serde_json::{Value, json};

use super::World;

/// A process.
pub type Process = Engine<AwsHost>;

impl World {
    /// Another process; decisions are made by messages, as between separate functions.
    pub async fn process(&self) -> Process {
        self.process_with(settings(json!({})), false).await
    }

    pub async fn process_with(&self, settings: Settings, decides_in_turn: bool) -> Process {
        let host = AwsHost::new(&self.config, &settings, self.other_clients().await);
        host.into_engine(&self.config, settings, decides_in_turn)
            .await
            .expect("a secret")
    }

    /// Messages for the functions that wait in both queues now.
    pub async fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        for queue in [&self.config.task_events_queue, &self.config.decisions_queue] {
            for message in self.receive(queue).await {
                let text = message.body.expect("a message has a body");
                messages.push(self.queues().read(text).await.expect("one of ours"));
            }
        }
        messages
    }

    /// The envelopes that wait for the agent `writer` now.
    pub async fn tasks(&self) -> Vec<Value> {
        let queue = format!(
            "{}writer",
            self.config.agents.queues.as_deref().expect("it is set")
        );
        let mut tasks = Vec::new();
        for message in self.receive(&queue).await {
            let text = self
                .payloads()
                .unfold(message.body.expect("a message has a body"))
                .await;
            tasks.push(serde_json::from_str(&text.expect("readable")).expect("an envelope"));
        }
        tasks
    }

    /// Lets processes and an agent that answers with `output` work until the run has ended.
    pub async fn work(&self, run: RunId, processes: &[Process], output: &Value) -> RunState {
        const ROUNDS_MAX: usize = 200;
        for round in 0..ROUNDS_MAX {
            let process = &processes[round % processes.len()];
            for message in self.messages().await {
                process
                    .handle(message.run, &[message.body])
                    .await
                    .expect("handled");
            }
            for envelope in self.tasks().await {
                self.report(&envelope, output).await;
            }
            let state = load(process, run).await;
            if state.status.is_terminal() {
                return state;
            }
        }
        panic!("the run does not end");
    }

    /// What an agent says when it is done, through the queue, in its own words.
    pub async fn report(&self, envelope: &Value, output: &Value) {
        let report = json!({
            "run_id": envelope["run_id"], "task_id": envelope["task_id"], "type": "TASK_SUCCESS",
            "epoch": envelope["epoch"], "attempt": envelope["attempt"], "token": envelope["token"],
            "output": output,
        });
        let message = orchestrator_aws::messages::wire::decode(&report.to_string()).expect("a report");
        let queues: Queues = self.queues();
        orchestrator_engine::ports::Messages::send(&queues, vec![message])
            .await
            .expect("sent");
    }
}

/// Settings from the parts of a configuration below `master_orchestrator`.
pub fn settings(config: Value) -> Settings {
    settings::load(&json!({"master_orchestrator": config}).to_string()).expect("a valid configuration")
}

/// The run as its journal says.
pub async fn load(process: &Process, run: RunId) -> RunState {
    process.load(run).await.expect("readable").state().clone()
}

/// A request for a run of these tasks.
pub fn request(process: &Process, tasks: &Value) -> Request {
    let document = json!({"name": "test", "tasks": tasks}).to_string();
    let workflow = parse(document.as_bytes(), &Limits::api().with_task_count(usize::MAX))
        .workflow
        .expect("a valid workflow");
    Request {
        run: orchestrator_engine::ports::Ports::clock(process.ports()).new_run_id(),
        canonical: workflow.canonical().into(),
        workflow: Arc::new(workflow),
        client_id: "tester".to_owned(),
        inputs: Arc::new(json!({})),
        metadata: Arc::new(json!({})),
        priority: None,
        trace: Carrier {
            parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            ..Carrier::default()
        },
        needs_admission: false,
        is_fresh: false,
    }
}

/// Submits these tasks.
pub async fn submit(process: &Process, tasks: &Value) -> RunId {
    let request = request(process, tasks);
    let run = request.run;
    process.submit(request).await.expect("stored");
    run
}

/// A task of the agent `writer`.
pub fn task(id: &str, depends_on: &[&str]) -> Value {
    json!({"id": id, "agent": "writer", "action": "write", "depends_on": depends_on})
}

/// A message that says that an attempt has succeeded.
pub fn success(key: AttemptKey) -> Body {
    let kind = ReportKind::Success {
        started_at: None,
        output: None,
    };
    Body::Reports(vec![Report {
        node: key.node,
        epoch: key.epoch,
        attempt: key.attempt,
        kind,
    }])
}
