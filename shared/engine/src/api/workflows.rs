//! `POST /workflows`: from a document to a run, or to a plan.

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Carrier, Rejection};
use orchestrator_core::workflow::{Limits, Workflow, parse, typed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::backend::Backend;
use super::body;
use super::handle::Asked;
use super::policies;
use super::problem::{Code, Fault, Problem};
use super::query::{Query, short};
use super::response::{self, Answer};
use super::submission::{Mode, Wrapped};
use crate::decision::admission_pool;
use crate::ports::RunIndex;
use crate::ports::idempotency::{Claim, Claimed};
use crate::submit::Request;

/// Longest `Idempotency-Key`.
const KEY_LENGTH_MAX: usize = 255;

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Submitted")]
pub struct SubmittedView {
    /// The run.
    #[schemars(with = "String")]
    pub id: RunId,
    /// Name of the workflow.
    pub workflow: String,
    /// On whose behalf it runs.
    pub client_id: String,
    /// Tasks of the workflow.
    pub tasks: usize,
    /// Whether an earlier request with the same `Idempotency-Key` started it.
    pub replayed: bool,
    /// What is allowed but hardly meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Fault>,
}

/// A submission that has been read and checked.
pub(super) struct Submitted {
    pub workflow: Arc<Workflow>,
    pub client_id: String,
    pub inputs: Value,
    pub metadata: Value,
    priority: Option<u8>,
    mode: Option<Mode>,
    warnings: Vec<Fault>,
}

/// Answers `POST /workflows`.
pub(super) async fn submit<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    let query = Query::read(asked.parts.uri.query(), &["mode"])?;
    let mode = match query.text("mode") {
        None => None,
        Some("run") => Some(Mode::Run),
        Some("plan") => Some(Mode::Plan),
        Some(other) => {
            return Err(super::query::bad(format!(
                "mode '{}' is unknown (run or plan)",
                short(other)
            )));
        }
    };
    take_token(&asked).await?;
    let submitted = Submitted::read(&asked)?;
    if mode.or(submitted.mode) == Some(Mode::Plan) {
        return Ok(response::json(
            StatusCode::OK,
            &policies::plan(&asked, &submitted, false),
        ));
    }
    let (run, replayed) = claim(&asked, &submitted).await?;
    let is_there = replayed && asked.backend.run_index().summary(run).await?.is_some();
    if !is_there {
        let needs_admission = need_place(&asked, &submitted).await?;
        asked
            .backend
            .submit(submitted.request(run, needs_admission, asked.carrier.clone()))
            .await?;
    }
    Ok(created(run, replayed, submitted))
}

fn created(run: RunId, replayed: bool, submitted: Submitted) -> Answer {
    let view = SubmittedView {
        id: run,
        workflow: submitted.workflow.name.clone(),
        client_id: submitted.client_id,
        tasks: submitted.workflow.tasks.len(),
        replayed,
        warnings: submitted.warnings,
    };
    let status = if replayed {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let mut answer = response::json(status, &view);
    let location = HeaderValue::from_str(&format!("/runs/{run}")).expect("a run id is letters and digits");
    answer.headers_mut().insert(LOCATION, location);
    if replayed {
        answer
            .headers_mut()
            .insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    answer
}

/// One token of the caller's bucket.
pub(super) async fn take_token<B: Backend>(asked: &Asked<'_, B>) -> Result<(), Problem> {
    match asked.backend.take_token(&asked.caller.client_id).await? {
        None => Ok(()),
        Some(seconds) => {
            let detail = format!(
                "client '{}' asks too often (try again in {seconds} s)",
                asked.caller.client_id
            );
            Err(Problem::new(Code::RateLimited, detail).retry_after(seconds))
        }
    }
}

/// The run a request stands for, and whether an earlier request with the same key stands for it too.
async fn claim<B: Backend>(asked: &Asked<'_, B>, submitted: &Submitted) -> Result<(RunId, bool), Problem> {
    let run = asked.id;
    let Some(key) = asked.parts.headers.get("idempotency-key") else {
        return Ok((run, false));
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=KEY_LENGTH_MAX).contains(&key.len()))
        .ok_or_else(|| {
            let detail = format!(
                "the Idempotency-Key is empty or not plain text (1 to {KEY_LENGTH_MAX} ASCII characters)"
            );
            Problem::new(Code::BadKey, detail)
        })?;
    let body_hash: [u8; 32] = Sha256::digest(asked.body).into();
    let now = asked.backend.now();
    let claim = Claim {
        client_id: submitted.client_id.clone(),
        key: key.to_owned(),
        body_hash,
        run,
        now,
        expires_at: now + asked.backend.intake().idempotency_ttl_ms,
    };
    match asked.backend.claim(claim).await? {
        Claimed::New => Ok((run, false)),
        Claimed::Known {
            run,
            body_hash: known,
        } if known == body_hash => Ok((run, true)),
        Claimed::Known { run, .. } => {
            let detail = format!(
                "Idempotency-Key '{}' came before with another body and started run {run} (use a new key)",
                short(key)
            );
            Err(Problem::new(Code::KeyReused, detail))
        }
    }
}

/// Whether the run has to wait for its place under the concurrent-run limit.
async fn need_place<B: Backend>(asked: &Asked<'_, B>, submitted: &Submitted) -> Result<bool, Problem> {
    let intake = asked.backend.intake();
    let Some(runs_max) = intake.runs_max else {
        return Ok(false);
    };
    if !intake.queues_runs {
        let place = admission_pool(&submitted.client_id).pool;
        let pools = asked.backend.pools().await?.pools;
        let used = pools
            .iter()
            .find(|pool| pool.pool == place)
            .map_or(0, |pool| pool.used + pool.waiting);
        if used >= runs_max {
            let detail = format!(
                "client '{}' has {used} runs, and may have {runs_max} at a time (try again when one has ended)",
                submitted.client_id
            );
            return Err(Problem::new(Code::RunsLimited, detail).retry_after(5));
        }
    }
    Ok(true)
}

/// The problem with a task the workflow does not have.
pub(super) fn unknown_task(workflow: &Workflow, task: &str) -> Problem {
    let detail = format!("workflow '{}' has no task '{}'", workflow.name, short(task));
    Problem::new(Code::UnknownTask, detail)
}

impl Submitted {
    /// Reads the body of a request.
    pub(super) fn read<B: Backend>(asked: &Asked<'_, B>) -> Result<Submitted, Problem> {
        let intake = asked.backend.intake();
        body::bounded(asked.body.len(), intake.body_bytes_max())?;
        let format = body::format(&asked.parts.headers)?;
        let wrapped = Wrapped::read(asked.body, format, &intake.limits)?;
        body::bounded(wrapped.text.len(), intake.limits.document_bytes)?;
        let document = Document::parse(&wrapped, &intake.limits)?;
        let Document { workflow, warnings } = document;
        check_agents(&workflow, intake.agents.as_ref(), &wrapped, &intake.limits)?;
        let given = object("inputs", wrapped.rest.inputs)?;
        let metadata = Value::Object(object("metadata", wrapped.rest.metadata)?);
        let inputs = workflow
            .bind_inputs(&given)
            .map_err(|problems| faults(&problems))?;
        if let Some(priority) = wrapped
            .rest
            .priority
            .filter(|priority| !(1..=10).contains(priority))
        {
            return Err(Rejection::PriorityOutOfRange(priority).into());
        }
        let named = wrapped.rest.client_id.or_else(|| workflow.client_id.clone());
        let client_id = match named {
            Some(named) if asked.caller.sees(&named) => named,
            Some(named) => {
                let own = &asked.caller.client_id;
                let detail = format!(
                    "client '{own}' cannot submit for '{}' (leave client_id out)",
                    short(&named)
                );
                return Err(Problem::new(Code::Forbidden, detail));
            }
            None => asked.caller.client_id.clone(),
        };
        let (priority, mode) = (wrapped.rest.priority, wrapped.rest.mode);
        Ok(Submitted {
            workflow: Arc::new(workflow),
            client_id,
            inputs,
            metadata,
            priority,
            mode,
            warnings,
        })
    }

    fn request(&self, run: RunId, needs_admission: bool, trace: Carrier) -> Request {
        Request {
            run,
            workflow: Arc::clone(&self.workflow),
            canonical: self.workflow.canonical().into(),
            client_id: self.client_id.clone(),
            inputs: Arc::new(self.inputs.clone()),
            metadata: Arc::new(self.metadata.clone()),
            priority: self.priority,
            trace,
            needs_admission,
        }
    }
}

struct Document {
    workflow: Workflow,
    warnings: Vec<Fault>,
}

impl Document {
    fn parse(wrapped: &Wrapped, limits: &Limits) -> Result<Document, Problem> {
        let parsed = parse(&wrapped.text, limits);
        let shifted = |problems: &[orchestrator_core::workflow::Problem]| -> Vec<Fault> {
            problems
                .iter()
                .map(|problem| wrapped.shift(Fault::of(problem)))
                .collect()
        };
        let warnings = shifted(&parsed.warnings);
        match parsed.workflow {
            Ok(workflow) => Ok(Document { workflow, warnings }),
            Err(problems) => {
                let mut faults = shifted(&problems);
                faults.extend(warnings);
                Err(Problem::dsl(faults))
            }
        }
    }
}

fn check_agents(
    workflow: &Workflow,
    agents: Option<&std::collections::BTreeSet<String>>,
    wrapped: &Wrapped,
    limits: &Limits,
) -> Result<(), Problem> {
    let faults = match agents {
        Some(agents) => unknown_agents(workflow, agents, &wrapped.text, limits),
        None => Vec::new(),
    };
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
    agents: &std::collections::BTreeSet<String>,
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

fn object(name: &str, value: Option<Value>) -> Result<Map<String, Value>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => {
            let detail = format!("'{name}' is not an object (give names and values)");
            Err(Problem::new(Code::Malformed, detail))
        }
    }
}

fn faults(problems: &[orchestrator_core::workflow::Problem]) -> Problem {
    Problem::dsl(problems.iter().map(Fault::of).collect())
}
