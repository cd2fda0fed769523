//! `policy test`: a file of given/expect cases against the policy.

use std::collections::BTreeMap;
use std::path::Path;

use orchestrator_core::policy::{Policy, Question, RunFacts, TaskFacts, choose};
use orchestrator_core::pool::PoolUsage;
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::{Limits, OnDenied, ResourceSpec, RetrySpec, typed};
use orchestrator_embedded::SystemClock;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::views::At;
use orchestrator_engine::views::explain::ChoiceView;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::submission::read_text;
use crate::args::{Global, PolicyTestArgs};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{Output, text};

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows.
    name: String,
    /// The question.
    given: Given,
    /// Keys of the choice, as in `orchestrator policy explain -o json`, with the values they must have.
    expect: Map<String, Value>,
}

/// The facts of a question; what is left out is empty.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    task: GivenTask,
    #[serde(default)]
    run: GivenRun,
    /// RFC 3339; the time of the test when absent.
    #[serde(default)]
    now: Option<At>,
    /// How full pools are, by name.
    #[serde(default)]
    usage: BTreeMap<String, GivenUsage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenTask {
    #[serde(default = "default_name")]
    id: String,
    agent: String,
    action: String,
    #[serde(default = "empty_object")]
    params: Value,
    #[serde(default)]
    priority: Option<u8>,
    #[serde(default)]
    retry: RetrySpec,
    #[serde(default)]
    resources: ResourceSpec,
    #[serde(default)]
    pools: Vec<String>,
    #[serde(default)]
    on_denied: Option<OnDenied>,
    #[serde(default = "one")]
    attempt: u32,
    #[serde(default)]
    approved: bool,
    #[serde(default)]
    item: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenRun {
    #[serde(default = "default_name")]
    workflow: String,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    priority: Option<u8>,
    #[serde(default = "empty_object")]
    inputs: Value,
    #[serde(default = "empty_object")]
    metadata: Value,
    #[serde(default = "one")]
    task_count: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenUsage {
    capacity: u32,
    used: u32,
    #[serde(default)]
    waiting: u32,
}

impl Default for GivenRun {
    fn default() -> GivenRun {
        GivenRun {
            workflow: default_name(),
            client_id: None,
            priority: None,
            inputs: empty_object(),
            metadata: empty_object(),
            task_count: 1,
        }
    }
}

fn default_name() -> String {
    "test".to_owned()
}

fn empty_object() -> Value {
    Value::Object(Map::new())
}

fn one() -> u32 {
    1
}

/// What came of one case.
#[derive(Debug, Serialize)]
struct Tested {
    file: String,
    name: String,
    passed: bool,
    /// Keys with another value than expected.
    differences: Vec<String>,
}

/// Tests the policy.
pub fn run(global: &Global, args: &PolicyTestArgs, output: &Output) -> Result<Exit, Failure> {
    let mut tested = Vec::new();
    for file in &args.files {
        let config = Config::load(global, Some(file))?;
        for case in read(file)? {
            tested.push(test(&config.settings.policy, file, &case));
        }
    }
    let failed = tested.iter().filter(|case| !case.passed).count();
    output.answer(&tested, |tested, page| {
        for case in tested {
            let sign = if case.passed { "ok" } else { "FAILED" };
            page.line(format!("{}: {}: {sign}", case.file, text::one_line(&case.name)));
            for difference in &case.differences {
                page.line(format!("  {difference}"));
            }
        }
        page.line(format!("{}, {failed} failed", text::count(tested.len(), "case")));
    });
    Ok(if failed == 0 { Exit::Success } else { Exit::Failed })
}

fn read(path: &Path) -> Result<Vec<Case>, Failure> {
    let text = read_text(path)?;
    let file = path.display().to_string();
    typed::read(&text, &Limits::local_file()).map_err(|problems| {
        let details = problems
            .iter()
            .map(|problem| problem.in_file(&file).to_string())
            .collect();
        Failure::usage(format!("the cases in '{file}' cannot be read")).with_details(details)
    })
}

fn test(policy: &Policy, file: &Path, case: &Case) -> Tested {
    let choice = choose_for(policy, &case.given);
    let found = serde_json::to_value(&choice).expect("a choice is plain data with text keys");
    let different = case
        .expect
        .iter()
        .filter(|(key, wanted)| !is_same(found.get(key.as_str()), wanted));
    let differences: Vec<String> = different
        .map(|(key, wanted)| match found.get(key.as_str()) {
            Some(found) => format!("{key} is {found}, expected {wanted}"),
            None => format!("{key} is absent, expected {wanted}"),
        })
        .collect();
    Tested {
        file: file.display().to_string(),
        name: case.name.clone(),
        passed: differences.is_empty(),
        differences,
    }
}

fn choose_for(policy: &Policy, given: &Given) -> ChoiceView {
    let Given {
        task,
        run,
        now,
        usage,
    } = given;
    let now = now.map_or_else(|| SystemClock.now(), |now| now.0);
    let usage: Vec<PoolUsage> = usage.iter().map(pool_usage).collect();
    let question = Question {
        task: TaskFacts {
            id: &task.id,
            agent: &task.agent,
            action: &task.action,
            params: &task.params,
            priority: task.priority,
            retry: task.retry,
            timeout_ms: None,
            resources: task.resources,
            pools: &task.pools,
            on_denied: task.on_denied,
            epoch: 1,
            attempt: task.attempt,
            approved: task.approved,
            item: task.item.as_ref().map(|item| (item, 0)),
        },
        run: run_facts(run, now),
        now,
        usage: &usage,
    };
    ChoiceView::of(&choose(policy, &question), &[])
}

fn run_facts(run: &GivenRun, now: Timestamp) -> RunFacts<'_> {
    RunFacts {
        id: None,
        workflow: &run.workflow,
        client_id: run.client_id.as_deref(),
        priority: run.priority,
        inputs: &run.inputs,
        metadata: &run.metadata,
        task_count: run.task_count as usize,
        submitted_at: now,
    }
}

fn pool_usage((pool, usage): (&String, &GivenUsage)) -> PoolUsage {
    PoolUsage {
        pool: pool.clone(),
        capacity: usage.capacity,
        used: usage.used,
        waiting: usage.waiting,
    }
}

/// Numbers are the same when their values are, whether or not one is written with a decimal point.
fn is_same(found: Option<&Value>, wanted: &Value) -> bool {
    match (found, wanted) {
        (Some(Value::Number(found)), Value::Number(wanted)) => found.as_f64() == wanted.as_f64(),
        (Some(found), wanted) => found == wanted,
        (None, wanted) => wanted.is_null(),
    }
}
