//! `GET /agents`: who there is, and what they can do; and workflows held against that.

use std::collections::BTreeSet;

use http::StatusCode;
use orchestrator_core::workflow::{Limits, Workflow, typed};
use orchestrator_translate::Catalogue;

use super::backend::{Backend, Intake};
use super::handle::Asked;
use super::problem::{Fault, Problem};
use super::query::{Query, short};
use super::response::{self, Answer};
use super::submission::Wrapped;
use crate::views::AgentList;

/// Answers the request.
pub(super) async fn list<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    Query::read(asked.parts.uri.query(), &[])?;
    let intake = asked.backend.intake();
    let list = AgentList::of(intake.agents.as_ref(), &intake.catalogue, asked.backend.policy());
    Ok(response::json(StatusCode::OK, &list))
}

/// Refuses a workflow that asks for agents, actions or parameters that are not there.
pub(super) fn check_agents(workflow: &Workflow, intake: &Intake, wrapped: &Wrapped) -> Result<(), Problem> {
    let mut faults = match &intake.agents {
        Some(agents) => unknown_agents(workflow, agents, &wrapped.text, &intake.limits),
        None => Vec::new(),
    };
    faults.extend(unknown_work(
        workflow,
        &intake.catalogue,
        &wrapped.text,
        &intake.limits,
    ));
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Problem::dsl(
            faults.into_iter().map(|fault| wrapped.shift(fault)).collect(),
        )),
    }
}

/// A fault for each task whose agent is not configured.
pub fn unknown_agents(
    workflow: &Workflow,
    agents: &BTreeSet<String>,
    text: &[u8],
    limits: &Limits,
) -> Vec<Fault> {
    const SHOWN_MAX: usize = 100;
    let known: Vec<&str> = agents.iter().take(20).map(String::as_str).collect();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    let text = std::str::from_utf8(text).unwrap_or_default();
    let tasks = workflow.tasks.iter().enumerate();
    let unknown = tasks
        .filter(|(_, task)| !agents.contains(&task.agent))
        .take(SHOWN_MAX);
    unknown
        .map(|(index, task)| {
            let path = format!("tasks[{index}].agent");
            let place = typed::locate(text, limits, &path);
            Fault {
                code: "dsl.unknown-agent".to_owned(),
                severity: "error".to_owned(),
                line: place.map(|place| place.line),
                column: place.map(|place| place.column),
                path,
                message: format!(
                    "task '{}' has the unknown agent '{}'",
                    task.id,
                    short(&task.agent)
                ),
                remedy: format!("configure it under 'agents:'; configured are {known}"),
            }
        })
        .collect()
}

/// A fault for each action and parameter that the catalogue does not have.
pub fn unknown_work(workflow: &Workflow, catalogue: &Catalogue, text: &[u8], limits: &Limits) -> Vec<Fault> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let findings = catalogue.check(workflow).into_iter();
    let fault = findings.map(|finding| {
        let place = typed::locate(text, limits, &finding.path);
        Fault {
            code: finding.code.to_owned(),
            severity: "error".to_owned(),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            path: finding.path,
            message: finding.message,
            remedy: finding.remedy,
        }
    });
    fault.collect()
}
