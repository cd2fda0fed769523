//! `policy explain`: what each key and rule contributes to the decision about each task.

use bytes::Bytes;
use http::Method;
use orchestrator_engine::api::route::encode;
use orchestrator_engine::views::PlanView;
use orchestrator_engine::views::plan::StepView;
use serde_json::Value;

use super::explain::show_choice;
use super::submission::Submission;
use crate::args::{Global, PolicyExplainArgs};
use crate::client::Client;
use crate::client::remote::Remote;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Page, text};

/// Explains the policy's decisions.
pub fn run(global: &Global, args: &PolicyExplainArgs, output: &Output) -> Result<Exit, Failure> {
    let submission = Submission::read(&args.submission)?;
    let mut plan: PlanView = match &global.endpoint {
        Some(endpoint) => {
            let client = Client::Remote(Remote::new(endpoint, global.token.clone())?);
            let task = args
                .task
                .as_deref()
                .map(|task| format!("?task={}", encode(task)))
                .unwrap_or_default();
            let body = Bytes::from(submission.to_json());
            let answer = client.call(Method::POST, &format!("/policy/explain{task}"), &[], body);
            answer.map_err(|failure| submission.locate(failure))?
        }
        None => Config::load(global, Some(&args.submission.file))?.plan(&submission, true)?,
    };
    if let Some(task) = &args.task {
        plan.tasks.retain(|planned| planned.id == *task);
        if plan.tasks.is_empty() {
            let message = format!(
                "workflow '{}' has no task '{task}' (see 'orchestrator plan')",
                plan.workflow
            );
            return Err(Failure::new(Exit::NotFound, message));
        }
    }
    output.answer(&plan, show);
    Ok(Exit::Success)
}

fn show(plan: &PlanView, page: &mut Page) {
    for (index, task) in plan.tasks.iter().enumerate() {
        if index > 0 {
            page.gap();
        }
        page.line(format!(
            "{} ({}, {}): {}",
            task.id, task.agent, task.action, task.choice.reason
        ));
        for step in task.steps.iter().filter_map(step_text) {
            page.line(format!("  {step}"));
        }
        page.gap();
        show_choice(&task.choice, page);
    }
}

/// A step that contributed something.
fn step_text(step: &StepView) -> Option<String> {
    let of = |key: &str| step.effect.get(key);
    let word = |key: &str| of(key).and_then(Value::as_str).unwrap_or_default();
    let value = |key: &str| match of(key) {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let what = match word("effect") {
        "set" => format!("{} = {} (was {})", word("key"), value("after"), value("before")),
        "refused" => format!("refused: {}", word("reason")),
        "agrees" => "agrees".to_owned(),
        _ => return None,
    };
    Some(text::one_line(&format!("{}: {what}", step.rule)))
}
