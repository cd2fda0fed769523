//! "Batch Job State Change" events: a job that ends without its agent having reported still ends its attempt.
//!
//! An agent reports before its job ends, but what it said may still be on its way when the event arrives. So the event does
//! not go to the run: it becomes a message behind the agent's own in the group of the run. If the agent has reported, its
//! attempt is over by then, and nothing is sent at all.

use orchestrator_aws::compute::batch::{JobChange, attempt_of};
use orchestrator_core::ids::AttemptKey;
use orchestrator_core::run::{Report, ReportKind};
use orchestrator_engine::drive::Session;
use orchestrator_engine::error::Error;
use orchestrator_engine::ports::messages::{Body, Message};
use orchestrator_engine::ports::{Messages, Ports};
use serde::Deserialize;

use crate::start::Function;

/// An event of EventBridge, as far as it matters.
#[derive(Debug, Deserialize)]
pub struct JobEvent {
    /// What happened to which job.
    pub detail: JobChange,
}

/// The name under which EventBridge delivers it.
pub const DETAIL_TYPE: &str = "Batch Job State Change";

/// Passes on what the event says about an attempt that is still live. Other people's jobs are none of ours.
///
/// # Errors
/// When the run cannot be read or the message not be sent; EventBridge delivers the event again.
pub async fn handle(function: &Function, event: JobEvent) -> Result<(), Error> {
    let Some((key, report)) = ended(&event.detail) else {
        return Ok(());
    };
    let live = function.engine.drive(key.run, async |session: &mut Session| {
        Ok(session.state().live().any(|live| live == key))
    });
    match live.await {
        Ok(true) => {}
        Ok(false) => return Ok(()),
        Err(error) if !error.is_transient() => {
            tracing::warn!(run_id = %key.run, attempt = key.attempt, %error, "a job of an unknown run has ended");
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    tracing::info!(
        run_id = %key.run,
        trace_id = function.engine.trace_id(key.run),
        task = key.node.0,
        attempt = key.attempt,
        job = %event.detail.job_name,
        status = %event.detail.status,
        "a job ended without a report"
    );
    let message = Message {
        run: key.run,
        body: Body::Reports(vec![report]),
    };
    Ok(function.engine.ports().messages().send(vec![message]).await?)
}

/// What the end of a job means for its attempt, should the attempt be live.
fn ended(change: &JobChange) -> Option<(AttemptKey, Report)> {
    if change.status == "SUCCEEDED" {
        let key = attempt_of(&change.job_name)?;
        // A program that does not know the orchestrator: its exit code is all it says.
        let kind = ReportKind::Success {
            started_at: change.started(),
            output: None,
        };
        let report = Report {
            node: key.node,
            epoch: key.epoch,
            attempt: key.attempt,
            kind,
        };
        return Some((key, report));
    }
    change.report()
}

#[cfg(test)]
mod tests {
    use orchestrator_aws::compute::batch::job_name;
    use orchestrator_core::ids::{NodeIx, RunId};
    use orchestrator_core::time::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_end_of_a_job_is_the_end_of_its_attempt() {
        let key = AttemptKey {
            run: RunId::from_parts(1, 2),
            node: NodeIx(3),
            epoch: 1,
            attempt: 2,
        };
        let event = |name: &str, status: &str| {
            let detail = json!({"jobName": name, "status": status, "startedAt": 5, "jobId": "x"});
            let event: JobEvent = serde_json::from_value(json!({"source": "aws.batch", "detail": detail}))
                .expect("it is an event");
            ended(&event.detail)
        };
        let (of, report) = event(&job_name(key), "SUCCEEDED").expect("it ends the attempt");
        assert_eq!((of, report.attempt), (key, 2));
        let started_at = Some(Timestamp(5));
        assert_eq!(
            report.kind,
            ReportKind::Success {
                started_at,
                output: None
            }
        );
        assert!(event(&job_name(key), "FAILED").is_some());
        assert!(event(&job_name(key), "RUNNABLE").is_none());
        assert!(event("nightly", "SUCCEEDED").is_none());
    }
}
