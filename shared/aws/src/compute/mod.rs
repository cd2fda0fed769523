//! Handing attempts to agents: consumers of SQS queues, and AWS Batch jobs.
//!
//! A task goes to AWS Batch when the policy gave it class `gpu` and there is a job definition for that, or when its agent is
//! configured to run there; otherwise to the queue of its agent. Both get the same text: the envelope, or a reference to it
//! when it is large. An attempt that cannot be handed over, ever, is reported as failed.

pub mod batch;
mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use orchestrator_core::ids::AttemptKey;
use orchestrator_core::run::{Failure, FailureClass, Report, ReportKind};
use orchestrator_core::workflow::ResourceClass;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::compute::{AgentVersion, Dispatch};
use orchestrator_engine::ports::messages::{Body, Message};
use orchestrator_engine::ports::{Compute, Messages};
use orchestrator_engine::trace::span::{Attribute, fixed};
use sha2::{Digest as _, Sha256};

use crate::env::{Agents, BatchTarget};
use crate::fault::{Fault, Kind};
use crate::messages::Queues;
use crate::messages::send::Sender;
use crate::payloads::{MESSAGE_BYTES_MAX, Payloads};
use batch::Jobs;

/// Calls under way at a time.
const CONCURRENCY: usize = 16;

/// All agents.
#[derive(Debug, Clone)]
pub struct AgentCompute {
    agents: Agents,
    versions: BTreeMap<String, AgentVersion>,
    sender: Sender,
    jobs: Jobs,
    payloads: Payloads,
    messages: Queues,
}

/// Where one attempt goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Queue(String),
    Job(BatchTarget),
}

impl AgentCompute {
    /// Agents where the environment says, with the versions that the configuration gives them.
    pub fn new(
        agents: Agents,
        versions: BTreeMap<String, AgentVersion>,
        sender: Sender,
        jobs: Jobs,
        payloads: Payloads,
        messages: Queues,
    ) -> AgentCompute {
        AgentCompute {
            agents,
            versions,
            sender,
            jobs,
            payloads,
            messages,
        }
    }

    /// Hands over to one queue; returns the attempts that can never be.
    async fn to_queue(&self, url: &str, attempts: &[&Dispatch]) -> Result<Vec<Report>, Fault> {
        let texts = attempts
            .iter()
            .map(|attempt| self.text(attempt, MESSAGE_BYTES_MAX));
        let texts = try_join_all(texts).await?;
        let outgoing = attempts
            .iter()
            .zip(texts)
            .map(|(attempt, text)| queue::outgoing(attempt, text));
        match self.sender.send(url, outgoing.collect()).await {
            Err(fault) if queue::is_missing(&fault) => {
                let why = |attempt: &&Dispatch| {
                    let agent = &attempt.envelope.agent;
                    failed(
                        attempt.key,
                        format!("agent '{agent}' has no queue '{url}' (deploy infra/agent.yaml for it)"),
                    )
                };
                Ok(attempts.iter().map(why).collect())
            }
            sent => sent.map(|()| Vec::new()),
        }
    }

    /// Hands over as a job; returns the attempt if it can never be.
    async fn to_batch(&self, target: &BatchTarget, attempt: &Dispatch) -> Result<Vec<Report>, Fault> {
        let text = self.text(attempt, batch::INPUT_BYTES_MAX).await?;
        match self.jobs.submit(target, attempt, text).await {
            Err(fault) if fault.kind == Kind::Fatal => {
                let message = format!(
                    "AWS Batch refused the job: {} (look at {})",
                    fault.detail,
                    crate::env::BATCH
                );
                Ok(vec![failed(attempt.key, message)])
            }
            submitted => submitted.map(|()| Vec::new()),
        }
    }

    async fn text(&self, attempt: &Dispatch, bytes_max: usize) -> Result<String, Fault> {
        let text = serde_json::to_string(&*attempt.envelope).map_err(|error| Fault {
            kind: Kind::Fatal,
            detail: format!("the envelope cannot be written: {error}"),
        })?;
        self.payloads.fit(attempt.key.run, text, bytes_max).await
    }
}

impl Agents {
    /// Where an attempt of this agent in this class goes.
    fn place(&self, agent: &str, class: ResourceClass) -> Option<Place> {
        let class_name = class.as_str();
        if class == ResourceClass::Gpu || self.in_batch.contains(agent) {
            let own = self.batch.get(&format!("{agent}:{class_name}"));
            if let Some(target) = own.or_else(|| self.batch.get(class_name)) {
                return Some(Place::Job(target.clone()));
            }
        }
        let queues = self.queues.as_ref().filter(|_| !self.in_batch.contains(agent))?;
        Some(Place::Queue(format!("{queues}{agent}")))
    }
}

impl Agents {
    /// The version of an agent: what the configuration says of it, its queue, and its job queues and definitions. What is
    /// behind a queue, or in the image of a definition, is not known here.
    fn version_of(&self, agent: &str, configured: AgentVersion) -> AgentVersion {
        let mut digest = Sha256::new();
        // Each part with its length, so that parts cannot run into each other.
        let mut add = |part: &str| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        let classes = [
            ResourceClass::Cpu,
            ResourceClass::Gpu,
            ResourceClass::Memory,
            ResourceClass::Compute,
        ];
        for class in classes {
            match self.place(agent, class) {
                Some(Place::Queue(url)) => add(&url),
                Some(Place::Job(BatchTarget { queue, definition })) => {
                    add(&queue);
                    add(&definition);
                }
                None => add(""),
            }
        }
        digest.update(configured.0);
        AgentVersion(digest.finalize().into())
    }
}

/// A report that an attempt cannot be started.
fn failed(key: AttemptKey, message: String) -> Report {
    let failure = Failure {
        class: FailureClass::Permanent,
        message,
        exit_code: None,
    };
    Report {
        node: key.node,
        epoch: key.epoch,
        attempt: key.attempt,
        kind: ReportKind::Failure(Arc::new(failure)),
    }
}

impl Compute for AgentCompute {
    async fn dispatch(&self, attempts: Vec<Dispatch>) -> Result<(), HostError> {
        let mut queues: BTreeMap<String, Vec<&Dispatch>> = BTreeMap::new();
        let mut jobs = Vec::new();
        let mut reports = Vec::new();
        for attempt in &attempts {
            let class = attempt.choice.overrides.resource_class;
            let agent = &attempt.envelope.agent;
            match self.agents.place(agent, class) {
                Some(Place::Queue(url)) => queues.entry(url).or_default().push(attempt),
                Some(Place::Job(target)) => jobs.push((target, attempt)),
                None => {
                    let message = format!(
                        "there is no place for agent '{agent}' in class {} (set {} or {})",
                        class.as_str(),
                        crate::env::AGENT_QUEUES,
                        crate::env::BATCH
                    );
                    reports.push(failed(attempt.key, message));
                }
            }
        }
        let sent = join_all(queues.iter().map(|(url, attempts)| self.to_queue(url, attempts))).await;
        let mut submitted = Vec::new();
        for jobs in jobs.chunks(CONCURRENCY) {
            submitted.extend(
                join_all(
                    jobs.iter()
                        .map(|(target, attempt)| self.to_batch(target, attempt)),
                )
                .await,
            );
        }
        let mut fault = None;
        for result in sent.into_iter().chain(submitted) {
            match result {
                Ok(refused) => reports.extend(refused),
                Err(error) => fault = Some(error),
            }
        }
        if let (Some(first), false) = (attempts.first(), reports.is_empty()) {
            let message = Message {
                run: first.key.run,
                body: Body::Reports(reports),
            };
            self.messages.send(vec![message]).await?;
        }
        match fault {
            Some(fault) => Err(fault.in_part("the agents' place")),
            None => Ok(()),
        }
    }

    fn way(&self, attempt: &Dispatch) -> Option<Vec<Attribute<'static>>> {
        let class = attempt.choice.overrides.resource_class;
        Some(match self.agents.place(&attempt.envelope.agent, class)? {
            Place::Queue(url) => vec![
                ("messaging.system", fixed("aws_sqs")),
                ("messaging.operation.name", fixed("send")),
                ("messaging.operation.type", fixed("send")),
                (
                    "messaging.destination.name",
                    url.rsplit('/').next().unwrap_or_default().to_owned().into(),
                ),
            ],
            Place::Job(target) => vec![
                ("aws.batch.job_queue", target.queue.into()),
                ("aws.batch.job_definition", target.definition.into()),
                ("aws.batch.job_name", batch::job_name(attempt.key).into()),
            ],
        })
    }

    fn version_of(&self, agent: &str) -> AgentVersion {
        self.agents
            .version_of(agent, self.versions.get(agent).copied().unwrap_or_default())
    }

    /// What waits in a queue cannot be taken back; its agent is told when it reports. Jobs are terminated.
    async fn stop(&self, attempts: Vec<AttemptKey>) -> Result<(), HostError> {
        let queues: std::collections::BTreeSet<&str> = self
            .agents
            .batch
            .values()
            .map(|target| target.queue.as_str())
            .collect();
        for attempts in attempts.chunks(CONCURRENCY) {
            let stops = attempts.iter().map(async |key| {
                for queue in &queues {
                    self.jobs.terminate(queue, *key).await?;
                }
                Ok(())
            });
            try_join_all(stops)
                .await
                .map_err(|fault: Fault| fault.in_part("AWS Batch"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpu_tasks_and_configured_agents_go_to_batch_others_to_their_queue() {
        let target = |queue: &str| BatchTarget {
            queue: queue.to_owned(),
            definition: "agents".to_owned(),
        };
        let agents = Agents {
            queues: Some("https://sqs/tasks-".to_owned()),
            batch: ["cpu", "gpu", "trainer:gpu"]
                .map(|key| (key.to_owned(), target(key)))
                .into(),
            in_batch: ["trainer".to_owned()].into(),
        };
        let queue = |agent: &str| Some(Place::Queue(format!("https://sqs/tasks-{agent}")));
        let job = |name: &str| Some(Place::Job(target(name)));
        let table = [
            ("writer", ResourceClass::Cpu, queue("writer")),
            ("writer", ResourceClass::Gpu, job("gpu")),
            ("trainer", ResourceClass::Cpu, job("cpu")),
            ("trainer", ResourceClass::Gpu, job("trainer:gpu")),
            ("trainer", ResourceClass::Memory, None),
        ];
        for (agent, class, place) in table {
            assert_eq!(agents.place(agent, class), place, "{agent} in {}", class.as_str());
        }
        assert_eq!(Agents::default().place("writer", ResourceClass::Gpu), None);
    }
}
