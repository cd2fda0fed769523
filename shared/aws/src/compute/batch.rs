//! Attempts as AWS Batch jobs.
//!
//! AWS Batch has no idempotency token. A job's name is made of its attempt's key, and whoever hands over an attempt that
//! may have been handed over before looks for the name first. A submission without an answer is not repeated blindly.
//!
//! Job queues need a fair-share policy: jobs carry the share of the run's client, and the priority of the task within it.

use aws_sdk_batch::Client;
use aws_sdk_batch::config::retry::RetryConfig;
use aws_sdk_batch::types::{
    ContainerOverrides, JobStatus, JobSummary, JobTimeout, KeyValuePair, KeyValuesPair,
};
use orchestrator_core::ids::{AttemptKey, NodeIx};
use orchestrator_core::run::{Failure, FailureClass, Report, ReportKind};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::env_vars;
use orchestrator_engine::ports::compute::Dispatch;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::clock::jitter;
use crate::env::BatchTarget;
use crate::fault::{Fault, Kind};

/// To agents in jobs: the envelope, or `{"payload": ...}` that says where it is.
pub const ORCHESTRATOR_INPUT: &str = "ORCHESTRATOR_INPUT";
/// To agents in jobs: the task token, for reports.
pub const ORCHESTRATOR_TASK_TOKEN: &str = "ORCHESTRATOR_TASK_TOKEN";

/// Longest envelope in the environment of a container: AWS allows 8 KB for all overrides together.
pub(super) const INPUT_BYTES_MAX: usize = 5 * 1024;
/// Submissions tried while AWS Batch is busy: it takes 50 a second.
const TRIES_MAX: u32 = 6;
/// AWS Batch orders jobs of one share by 0 to 9 999; priorities are 1 to 10.
const PRIORITY_STEP: i32 = 100;
/// Shortest time limit AWS Batch knows, seconds.
const TIMEOUT_MIN: u64 = 60;
/// How AWS Batch begins to say that the machine went away, not the work: machines, and spot capacity of Fargate.
const LOST: [&str; 2] = ["Host EC2", "Your Spot Task was interrupted"];
/// How it says that a job has reached its time limit.
const TIMED_OUT: &str = "Job attempt duration exceeded timeout";
/// Jobs looked at when one is looked for by its name.
const FOUND_MAX: i32 = 10;

/// Jobs of attempts.
#[derive(Debug, Clone)]
pub struct Jobs {
    client: Client,
}

impl Jobs {
    /// Jobs submitted with this client.
    pub fn new(client: Client) -> Jobs {
        Jobs { client }
    }

    /// Submits the job of an attempt, unless it has been.
    pub(super) async fn submit(
        &self,
        target: &BatchTarget,
        attempt: &Dispatch,
        text: String,
    ) -> Result<(), Fault> {
        let mut may_be_there = attempt.is_repeat;
        let mut last = None;
        for tried in 0..TRIES_MAX {
            if tried > 0 {
                tokio::time::sleep(jitter(100 << tried)).await;
            }
            if may_be_there && !self.find(&target.queue, attempt.key).await?.is_empty() {
                return Ok(());
            }
            match self.submit_once(target, attempt, &text).await {
                Ok(()) => return Ok(()),
                Err(fault) if fault.kind == Kind::Fatal => return Err(fault),
                Err(fault) => {
                    may_be_there |= fault.kind.may_have_worked();
                    last = Some(fault);
                }
            }
        }
        Err(last.expect("every try that ends here has failed"))
    }

    async fn submit_once(&self, target: &BatchTarget, attempt: &Dispatch, text: &str) -> Result<(), Fault> {
        let overrides = ContainerOverrides::builder().set_environment(Some(environment(attempt, text)));
        let timeout = attempt.choice.timeout_ms.map(|millis| {
            // The run's own limit comes first; this one ends what does not listen.
            let seconds = millis.div_ceil(1_000).saturating_add(TIMEOUT_MIN);
            let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
            JobTimeout::builder().attempt_duration_seconds(seconds).build()
        });
        let request = self
            .client
            .submit_job()
            .job_name(job_name(attempt.key))
            .job_queue(&target.queue)
            .job_definition(&target.definition)
            .share_identifier(share(&attempt.client_id))
            .scheduling_priority_override(i32::from(attempt.choice.overrides.priority) * PRIORITY_STEP)
            .container_overrides(overrides.build())
            .set_timeout(timeout);
        let once = aws_sdk_batch::config::Builder::new().retry_config(RetryConfig::disabled());
        let submitted = request.customize().config_override(once).send().await;
        submitted.map(drop).map_err(|error| Fault::of(&error))
    }

    /// Ends the jobs of an attempt.
    pub(super) async fn terminate(&self, queue: &str, key: AttemptKey) -> Result<(), Fault> {
        for job in self.find(queue, key).await? {
            if matches!(job.status, Some(JobStatus::Succeeded | JobStatus::Failed)) {
                continue;
            }
            let request = self.client.terminate_job().set_job_id(job.job_id);
            let ended = request
                .reason("the orchestrator has ended this attempt")
                .send()
                .await;
            ended.map_err(|error| Fault::of(&error))?;
        }
        Ok(())
    }

    async fn find(&self, queue: &str, key: AttemptKey) -> Result<Vec<JobSummary>, Fault> {
        let name = job_name(key);
        let by_name = KeyValuesPair::builder().name("JOB_NAME").values(&name).build();
        let request = self
            .client
            .list_jobs()
            .job_queue(queue)
            .filters(by_name)
            .max_results(FOUND_MAX);
        let output = request.send().await.map_err(|error| Fault::of(&error))?;
        let mut jobs = output.job_summary_list.unwrap_or_default();
        // The filter ignores case.
        jobs.retain(|job| job.job_name.as_ref() == Some(&name));
        Ok(jobs)
    }
}

fn environment(attempt: &Dispatch, text: &str) -> Vec<KeyValuePair> {
    let envelope = &attempt.envelope;
    let mut variables = vec![
        (ORCHESTRATOR_INPUT, text.to_owned()),
        (ORCHESTRATOR_TASK_TOKEN, envelope.token.clone()),
        (env_vars::ORCHESTRATOR_RUN_ID, envelope.run_id.to_string()),
        (env_vars::ORCHESTRATOR_TASK_ID, envelope.task_id.clone()),
        (env_vars::ORCHESTRATOR_ATTEMPT, envelope.attempt.to_string()),
        (env_vars::ORCHESTRATOR_ATTEMPT_KEY, attempt.key.to_string()),
    ];
    let trace = envelope.trace_variables().into_iter();
    variables.extend(trace.filter_map(|(name, value)| Some((name, value?.into_owned()))));
    variables
        .into_iter()
        .map(|(name, value)| KeyValuePair::builder().name(name).value(value).build())
        .collect()
}

/// The share of a client: letters and digits only, and no two clients have the same.
fn share(client: &str) -> String {
    let is_plain = client.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match is_plain && (1..=64).contains(&client.len()) {
        true => client.to_owned(),
        false => format!("x{}", &hex::encode(Sha256::digest(client))[..16]),
    }
}

/// The name of an attempt's job.
pub fn job_name(key: AttemptKey) -> String {
    let AttemptKey {
        run,
        node,
        epoch,
        attempt,
    } = key;
    format!("orchestrator-{run}-{}-{epoch}-{attempt}", node.0)
}

/// The attempt of a job's name; `None` for jobs of others.
pub fn attempt_of(job_name: &str) -> Option<AttemptKey> {
    let mut parts = job_name.strip_prefix("orchestrator-")?.split('-');
    let run = parts.next()?.parse().ok()?;
    let mut number = || parts.next()?.parse().ok();
    let key = AttemptKey {
        run,
        node: NodeIx(number()?),
        epoch: number()?,
        attempt: number()?,
    };
    parts.next().is_none().then_some(key)
}

/// The `detail` of a "Batch Job State Change" event, as far as it matters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobChange {
    /// Name of the job.
    pub job_name: String,
    /// `SUBMITTED` to `FAILED`.
    pub status: String,
    /// Why, for people.
    #[serde(default)]
    pub status_reason: Option<String>,
    /// When its container began, milliseconds.
    #[serde(default)]
    pub started_at: Option<i64>,
    /// Its container.
    #[serde(default)]
    pub container: Option<JobContainer>,
}

/// The container of a job.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobContainer {
    /// Its exit code; absent when it never ended by itself.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Why it ended.
    #[serde(default)]
    pub reason: Option<String>,
}

impl JobChange {
    /// What the change says about the job's attempt; `None` when it says nothing that its agent does not say better: an
    /// agent reports success itself, with its output.
    pub fn report(&self) -> Option<(AttemptKey, Report)> {
        let key = attempt_of(&self.job_name)?;
        let kind = match self.status.as_str() {
            "RUNNING" => ReportKind::Started,
            "FAILED" => ReportKind::Failure(self.failure().into()),
            _ => return None,
        };
        let report = Report {
            node: key.node,
            epoch: key.epoch,
            attempt: key.attempt,
            kind,
        };
        Some((key, report))
    }

    /// When the container began.
    pub fn started(&self) -> Option<Timestamp> {
        self.started_at.map(Timestamp)
    }

    fn failure(&self) -> Failure {
        let exit_code = self.container.as_ref().and_then(|container| container.exit_code);
        let reason = self.status_reason.clone().unwrap_or_default();
        let detail = self
            .container
            .as_ref()
            .and_then(|container| container.reason.clone());
        let class = match exit_code {
            Some(75) => FailureClass::Transient,
            _ if LOST.iter().any(|lost| reason.starts_with(lost)) => FailureClass::Lost,
            _ if reason == TIMED_OUT => FailureClass::Timeout,
            _ => FailureClass::Error,
        };
        let message = match detail {
            Some(detail) => format!("the job failed without a report: {reason} ({detail})"),
            None => format!("the job failed without a report: {reason}"),
        };
        Failure {
            class,
            message,
            exit_code,
        }
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::ids::RunId;
    use serde_json::json;

    use super::*;

    fn key() -> AttemptKey {
        AttemptKey {
            run: RunId::from_parts(1_700_000_000_000, 3),
            node: NodeIx(12),
            epoch: 2,
            attempt: 1,
        }
    }

    #[test]
    fn a_job_is_found_by_its_name() {
        let name = job_name(key());
        assert!(name.len() <= 128);
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        );
        assert_eq!(attempt_of(&name), Some(key()));
        for other in [
            "nightly",
            "orchestrator-x-1-1-1",
            &format!("{name}-1"),
            &name[..name.len() - 2],
        ] {
            assert_eq!(attempt_of(other), None, "{other}");
        }
    }

    #[test]
    fn clients_have_shares_of_their_own() {
        assert_eq!(share("ann1"), "ann1");
        assert_ne!(share("arn:aws:iam::1:role/a"), share("arn:aws:iam::1:role/b"));
        assert!(share("a b").bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn a_job_that_dies_without_a_report_is_told_apart_from_work_that_failed() {
        let change = |detail: serde_json::Value| {
            let change: JobChange = serde_json::from_value(detail).unwrap();
            change.report().map(|(_, report)| report.kind)
        };
        let class = |detail| match change(detail) {
            Some(ReportKind::Failure(failure)) => (failure.class, failure.exit_code),
            other => panic!("{other:?}"),
        };
        let name = job_name(key());
        let failed = |container: serde_json::Value, reason: &str| json!({"jobName": name, "status": "FAILED", "statusReason": reason, "container": container, "jobId": "x"});
        let exited = "Essential container in task exited";
        assert_eq!(
            class(failed(json!({"exitCode": 1}), exited)),
            (FailureClass::Error, Some(1))
        );
        assert_eq!(
            class(failed(json!({"exitCode": 75}), exited)),
            (FailureClass::Transient, Some(75))
        );
        assert_eq!(
            class(failed(json!({}), "Host EC2 (instance i-1) terminated.")),
            (FailureClass::Lost, None)
        );
        assert_eq!(
            change(json!({"jobName": name, "status": "RUNNING"})),
            Some(ReportKind::Started)
        );
        assert_eq!(change(json!({"jobName": name, "status": "SUCCEEDED"})), None);
        assert_eq!(change(json!({"jobName": "nightly", "status": "FAILED"})), None);
    }

    #[test]
    fn samples_of_state_changes_are_told_apart() {
        let events = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/task_events");
        let report = |name: &str| {
            let text = std::fs::read_to_string(events.join(name)).unwrap();
            let event: serde_json::Value = serde_json::from_str(&text).unwrap();
            let change: JobChange = serde_json::from_value(event["detail"].clone()).unwrap();
            change.report().map(|(_, report)| match report.kind {
                ReportKind::Failure(failure) => failure.class.as_str(),
                kind => kind.as_str(),
            })
        };
        let table = [
            ("batch_running.json", Some("TASK_STARTED")),
            ("batch_succeeded.json", None),
            ("batch_failed.json", Some("error")),
            ("batch_failed_transient.json", Some("transient")),
            ("batch_host_terminated.json", Some("lost")),
            ("batch_not_started.json", Some("error")),
            ("batch_out_of_memory.json", Some("error")),
            ("batch_timed_out.json", Some("timeout")),
            ("batch_of_somebody_else.json", None),
        ];
        for (name, says) in table {
            assert_eq!(report(name), says, "{name}");
        }
    }
}
