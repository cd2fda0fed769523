//! `submit`: starts a run without following it.

use bytes::Bytes;
use http::Method;
use orchestrator_engine::api::workflows::SubmittedView;

use super::run::follow_remote;
use super::submission::Submission;
use crate::args::{Global, SubmitArgs};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::{Output, text};
use crate::telemetry;

/// Submits the workflow.
pub fn run(global: &Global, args: &SubmitArgs, output: &Output) -> Result<Exit, Failure> {
    let submission = Submission::read(&args.submission)?;
    let client = Client::connect_for(global, Some(&args.submission.file))?;
    let submitted = send(
        &client,
        &submission,
        args.idempotency_key.as_deref(),
        args.no_cache,
    )?;
    for warning in &submitted.warnings {
        output.note(&format!("{}:{warning}", submission.file));
    }
    match (&client, args.follow) {
        (Client::Remote(remote), true) => return follow_remote(&client, remote, submitted.id, 0, output),
        (Client::Local(_), _) => {
            output.note(
                "note: no process works on this data directory; 'orchestrator serve' goes on with its runs",
            );
        }
        (Client::Remote(_), false) => {}
    }
    output.answer(&submitted, |submitted, page| {
        let how = if submitted.replayed {
            "was started before"
        } else {
            "started"
        };
        let tasks = text::count(submitted.tasks, "task");
        page.line(format!(
            "run {} {how}: {}, {tasks}",
            submitted.id, submitted.workflow
        ));
    });
    Ok(Exit::Success)
}

/// The header that says whether every task is to be done, even if its result is kept.
pub fn freshness(is_fresh: bool) -> Option<(&'static str, &'static str)> {
    is_fresh.then_some(("cache-control", "no-cache"))
}

/// Sends a submission; `is_fresh`: every task is to be done, even if its result is kept.
pub fn send(
    client: &Client,
    submission: &Submission,
    key: Option<&str>,
    is_fresh: bool,
) -> Result<SubmittedView, Failure> {
    let inherited = telemetry::inherited();
    let inherited = inherited
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let headers: Vec<(&str, &str)> = key
        .map(|key| ("idempotency-key", key))
        .into_iter()
        .chain(freshness(is_fresh))
        .chain(inherited)
        .collect();
    let body = Bytes::from(submission.to_json());
    let answer = client.call(Method::POST, "/workflows", &headers, body);
    answer.map_err(|failure| submission.locate(failure))
}
