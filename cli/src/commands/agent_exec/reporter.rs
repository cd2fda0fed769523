//! What is said about the attempt, over HTTP with its token.

use std::time::Duration;

use orchestrator_core::run::ReportKind;
use orchestrator_engine::api::reports::{ReportBody, Reported};

use super::Envelope;
use crate::client::{Client, task_path};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// How often the report of the end is tried while the server cannot be reached.
const REPORT_TRIES: u32 = 6;

/// Speaks for one attempt.
#[derive(Debug)]
pub(super) struct Reporter {
    pub client: Client,
    pub envelope: Envelope,
}

impl Reporter {
    /// Sends one report.
    pub(super) fn report(&self, kind: &ReportKind) -> Result<Reported, Failure> {
        let Envelope {
            run_id,
            task_id,
            epoch,
            attempt,
            token,
            ..
        } = &self.envelope;
        let body = ReportBody::of(kind, *epoch, *attempt, token.clone());
        self.client.post(&task_path(run_id, task_id, "/events"), &body)
    }

    /// The end of hours of work is worth some patience.
    pub(super) fn report_end(&self, kind: &ReportKind, output: &Output) -> Result<(), Failure> {
        let mut pause = Duration::from_secs(1);
        for _ in 1..REPORT_TRIES {
            match self.report(kind) {
                Err(failure) if failure.exit == Exit::Unavailable => {
                    output.note(&format!(
                        "error: {} (trying again in {} s)",
                        failure.message,
                        pause.as_secs()
                    ));
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                other => return other.map(drop),
            }
        }
        self.report(kind).map(drop)
    }
}
