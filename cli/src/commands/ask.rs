//! `ask`: a sentence in, a plan to look at, and a run of exactly that plan when somebody says so.

use std::io::{BufRead, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use orchestrator_core::ids::RunId;
use orchestrator_engine::api::submission::{Mode, SubmissionBody};
use orchestrator_engine::api::workflows::SubmittedView;
use orchestrator_engine::api::{Code, Problem};
use orchestrator_engine::translation::Status;
use orchestrator_engine::views::{EstimateView, ProposalView, TranslationAccepted, TranslationView};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::run as runs;
use super::submission::pairs;
use crate::args::{AskArgs, Global};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::tree::tree;
use crate::output::{Output, Page, text};
use crate::telemetry;

/// Times a text is posted again after it was translated elsewhere.
const ROUNDS_MAX: u32 = 3;
/// The first pause between two looks at a translation; it doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Longest wait for a translation: longer than the function that makes it may take.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// Shows what a text comes to, asks, and runs it.
pub fn run(global: &Global, args: &AskArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let inputs = Value::Object(pairs("--input", &args.inputs)?);
    let metadata = pairs("--metadata", &args.metadata)?;
    let token = match (&args.plan_token, args.text.is_empty()) {
        (Some(token), true) => token.clone(),
        (Some(_), false) => {
            return Err(Failure::usage(
                "a text and a plan token are two questions (give one)",
            ));
        }
        (None, true) => {
            return Err(Failure::usage(
                "there is no text (say what is to be done, as in: ask \"train a model\")",
            ));
        }
        (None, false) => {
            let proposal = propose(&client, args, &inputs, metadata, output)?;
            let is_shown = output.is_table() || args.plan || !args.yes;
            if is_shown {
                output.answer(&proposal, show);
            }
            if args.plan {
                return Ok(Exit::Success);
            }
            if !proposal.needs.is_empty() {
                let give: Vec<String> = proposal
                    .needs
                    .iter()
                    .map(|name| format!("--input {name}=..."))
                    .collect();
                return Err(Failure::usage(format!(
                    "the run needs more than the text says (give {})",
                    give.join(" ")
                )));
            }
            if !args.yes && !agree(&proposal, output)? {
                return Ok(Exit::Success);
            }
            proposal.plan_token
        }
    };
    let body = SubmissionBody {
        plan_token: Some(token),
        inputs: Some(inputs),
        client_id: None,
        ..SubmissionBody::default()
    };
    let submitted: SubmittedView = send(&client, &body, args.no_cache)?;
    runs::go_on(global, &client, submitted.id, 0, output)
}

fn propose(
    client: &Client,
    args: &AskArgs,
    inputs: &Value,
    metadata: Map<String, Value>,
    output: &Output,
) -> Result<ProposalView, Failure> {
    let body = SubmissionBody {
        natural_language: Some(args.text.join(" ")),
        inputs: Some(inputs.clone()),
        metadata: Some(Value::Object(metadata)),
        client_id: args.client.clone(),
        priority: args.priority,
        mode: Some(Mode::Plan),
        ..SubmissionBody::default()
    };
    let mut is_fresh = args.no_cache;
    for _ in 0..ROUNDS_MAX {
        match send(client, &body, is_fresh).map_err(with_suggestions)? {
            Proposed::Plan(proposal) => return Ok(*proposal),
            Proposed::Later(TranslationAccepted { token, .. }) => {
                output.note(&format!(
                    "a model is asked, which takes a while (translation {token})"
                ));
                follow(client, token)?;
                // What has just been translated will do.
                is_fresh = false;
            }
        }
    }
    Err(Failure::unavailable(
        "the text was translated again and again and its plan is not to be had (try again)",
    ))
}

/// What a text is answered with: its plan, or the name of the translation that is under way.
#[derive(Deserialize)]
#[serde(untagged)]
enum Proposed {
    Plan(Box<ProposalView>),
    Later(TranslationAccepted),
}

/// Waits until a translation has come to an end.
fn follow(client: &Client, token: RunId) -> Result<(), Failure> {
    let path = format!("/translation/{token}");
    let mut pause = PAUSE;
    let mut waited = Duration::ZERO;
    while waited < WAIT_MAX {
        let view: TranslationView = client.get(&path)?;
        let reason = || view.reason.clone().unwrap_or_default();
        match view.status {
            Status::Done => return Ok(()),
            Status::NeedsHuman => {
                let problem = Problem {
                    suggestions: view.suggestions.clone(),
                    translation: Some(token.to_string()),
                    ..Problem::new(Code::NeedsHuman, format!("nothing runs: {}", reason()))
                };
                return Err(with_suggestions(problem.into()));
            }
            Status::Error => return Err(Failure::unavailable(reason())),
            Status::Queued | Status::Processing => {
                thread::sleep(pause);
                waited += pause;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
    Err(Failure::unavailable(format!(
        "the translation has not ended after {} s (look at {path}, and ask the same again when it is done)",
        WAIT_MAX.as_secs()
    )))
}

/// A failure with what could be asked for instead.
fn with_suggestions(failure: Failure) -> Failure {
    let suggestions = failure
        .problem
        .as_ref()
        .map(|problem| problem.suggestions.clone())
        .unwrap_or_default();
    let mut details = failure.details.clone();
    if !suggestions.is_empty() {
        details.push("what could be asked for:".to_owned());
    }
    details.extend(suggestions.iter().map(|suggestion| {
        format!(
            "  \"{}\"  ({} of {}: {})",
            suggestion.example, suggestion.action, suggestion.agent, suggestion.description
        )
    }));
    failure.with_details(details)
}

fn send<T: serde::de::DeserializeOwned>(
    client: &Client,
    body: &SubmissionBody,
    is_fresh: bool,
) -> Result<T, Failure> {
    let inherited = telemetry::inherited();
    let mut headers: Vec<(&str, &str)> = inherited
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    if is_fresh {
        headers.push(("cache-control", "no-cache"));
    }
    let bytes = serde_json::to_vec(body).expect("bodies are plain data with text keys");
    client.call(Method::POST, "/workflows", &headers, Bytes::from(bytes))
}

/// Asks a person; where nobody is, tells how to go on.
fn agree(proposal: &ProposalView, output: &Output) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        output.note(&format!(
            "to run exactly this: orchestrator ask --plan-token {}",
            proposal.plan_token
        ));
        return Ok(false);
    }
    let unread = |error: std::io::Error| Failure::unavailable(format!("the answer cannot be read: {error}"));
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "run this? [y/N] ")
        .and_then(|()| stderr.flush())
        .map_err(unread)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(unread)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        _ => Err(Failure::new(Exit::Refused, "nothing runs (you did not say yes)")),
    }
}

/// The plan: a graph of tasks with what each would get, what the reader should know, and what it would take.
fn show(proposal: &ProposalView, page: &mut Page) {
    let plan = &proposal.plan;
    page.line(format!(
        "{}: {} in {}, translated by {}, confidence {:.2}",
        plan.workflow,
        text::count(plan.tasks.len(), "task"),
        text::count(plan.stages as usize, "stage"),
        proposal.translator,
        proposal.confidence
    ));
    page.gap();
    // A task hangs below the last of those it waits for.
    let stage = |name: &String| {
        plan.tasks
            .iter()
            .find(|task| task.id == *name)
            .map_or(0, |task| task.stage)
    };
    let mut waits: Vec<Vec<String>> = plan.tasks.iter().map(|task| task.depends_on.clone()).collect();
    for upstream in &mut waits {
        upstream.sort_by_key(|name| std::cmp::Reverse(stage(name)));
    }
    let nodes: Vec<(&str, &[String])> = plan
        .tasks
        .iter()
        .map(|task| task.id.as_str())
        .zip(waits.iter().map(Vec::as_slice))
        .collect();
    let mut table = Table::new(&[
        "TASK",
        "AGENT",
        "DECISION",
        "CLASS",
        "PRIORITY",
        "MEMORY",
        "PARAMETERS",
        "ALSO AFTER",
    ]);
    for (line, at) in tree(&nodes) {
        let task = &plan.tasks[at];
        let choice = &task.choice;
        table.row(vec![
            format!("{line}{}", task.id),
            task.agent.clone(),
            task.decision.clone(),
            match choice.use_distributed {
                true => format!("{}, distributed", choice.resource_class),
                false => choice.resource_class.clone(),
            },
            choice.priority.to_string(),
            format!("{} GB", choice.memory_gb),
            params(&proposal.dsl, &task.id),
            waits[at].iter().skip(1).cloned().collect::<Vec<_>>().join(" "),
        ]);
    }
    page.table(&table);
    page.gap();
    for note in &proposal.notes {
        page.line(format!("note: {note}"));
    }
    page.line(format!("estimate: {}", estimate(&proposal.estimate)));
    page.line(format!("plan token: {}", proposal.plan_token));
}

/// Parameters with the values that the text or the catalogue gave; references are told by the graph.
fn params(dsl: &Value, task: &str) -> String {
    let tasks = dsl["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let params = tasks
        .iter()
        .find(|known| known["id"] == task)
        .and_then(|task| task["params"].as_object());
    let shown = params
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.to_string().contains("${tasks."));
    shown
        .map(|(name, value)| {
            format!(
                "{name}={}",
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            )
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn estimate(estimate: &EstimateView) -> String {
    let duration = |seconds: f64| text::duration((seconds * 1_000.0).round() as u64);
    let cost = match estimate.cost_usd {
        Some(cost) => format!("{cost:.4} US dollars"),
        None => "cost unknown (set 'costs' in the configuration)".to_owned(),
    };
    let unknown = match estimate.unknown.is_empty() {
        true => String::new(),
        false => format!("; nothing is known of {}", estimate.unknown.join(", ")),
    };
    format!(
        "{} of work, {} from start to end, {cost}{unknown}",
        duration(estimate.task_seconds),
        duration(estimate.elapsed_seconds)
    )
}
