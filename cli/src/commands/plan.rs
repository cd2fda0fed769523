//! `plan`: the tasks in order, with the decision each would get.

use bytes::Bytes;
use http::Method;
use orchestrator_engine::views::PlanView;

use super::submission::Submission;
use crate::args::{Global, PlanArgs};
use crate::client::Client;
use crate::client::remote::Remote;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::{Output, Page, text};

/// Shows the plan.
pub fn run(global: &Global, args: &PlanArgs, output: &Output) -> Result<Exit, Failure> {
    let submission = Submission::read(&args.submission)?;
    let plan = match &global.endpoint {
        Some(endpoint) => {
            let client = Client::Remote(Remote::new(endpoint, global.token.clone())?);
            let body = Bytes::from(submission.to_json());
            client
                .call(Method::POST, "/workflows?mode=plan", &[], body)
                .map_err(|failure| submission.locate(failure))?
        }
        None => Config::load(global, Some(&args.submission.file))?.plan(&submission, false)?,
    };
    output.answer(&plan, show);
    Ok(Exit::Success)
}

fn show(plan: &PlanView, page: &mut Page) {
    page.line(format!(
        "{}: {} in {}, policy {}",
        plan.workflow,
        text::count(plan.tasks.len(), "task"),
        text::count(plan.stages as usize, "stage"),
        plan.policy_version
    ));
    let mut table = Table::new(&[
        "STAGE", "TASK", "AGENT", "ACTION", "DECISION", "CLASS", "PRIORITY", "MEMORY", "POOLS", "REASON",
    ]);
    for task in &plan.tasks {
        let choice = &task.choice;
        let pools: Vec<&str> = choice.pools.iter().map(|pool| pool.pool.as_str()).collect();
        let mut reason = choice.reason.clone();
        if let Some(list) = &task.for_each {
            reason = format!("for each of {list}: {reason}");
        }
        if let Some(condition) = &task.when {
            reason = format!("if {condition}: {reason}");
        }
        table.row(vec![
            task.stage.to_string(),
            task.id.clone(),
            task.agent.clone(),
            task.action.clone(),
            task.decision.clone(),
            choice.resource_class.clone(),
            choice.priority.to_string(),
            format!("{} GB", choice.memory_gb),
            pools.join(" "),
            reason,
        ]);
    }
    page.table(&table);
}
