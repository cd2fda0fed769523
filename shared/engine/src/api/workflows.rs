//! `POST /workflows`: from a document to a run, or to a plan.

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::Rejection;
use orchestrator_core::workflow::{Limits, Workflow, parse};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::agents::check_agents;
use super::backend::Backend;
use super::body;
use super::handle::Asked;
use super::policies;
use super::problem::{Code, Fault, Problem};
use super::query::{Query, short};
use super::response::{self, Answer};
use super::submission::{Mode, Wrapped};
use super::translations;
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
    let wrapped = wrap(&asked)?;
    let mode = mode.or(wrapped.rest.mode);
    let wrapped = match (&wrapped.rest.natural_language, &wrapped.rest.plan_token) {
        (Some(_), _) => return translations::submit(asked, wrapped.rest, mode).await,
        (None, Some(_)) => translations::of_plan(&asked, wrapped.rest).await?,
        (None, None) => wrapped,
    };
    let says_nothing = wrapped.says_nothing();
    let submitted = Submitted::of(&asked, wrapped).map_err(|problem| match says_nothing {
        true => translations::instead(&asked, problem),
        false => problem,
    })?;
    if mode == Some(Mode::Plan) {
        return Ok(response::json(
            StatusCode::OK,
            &policies::plan(&asked, &submitted, false),
        ));
    }
    start(asked, submitted).await
}

/// Starts a run of what was submitted.
pub(super) async fn start<B: Backend>(asked: Asked<'_, B>, submitted: Submitted) -> Result<Answer, Problem> {
    let (run, replayed) = claim(&asked, &submitted).await?;
    let is_there = replayed && asked.backend.run_index().summary(run).await?.is_some();
    if !is_there {
        let needs_admission = need_place(&asked, &submitted).await?;
        asked
            .backend
            .submit(submitted.request(&asked, run, needs_admission))
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

/// The body of a request, taken apart.
fn wrap<B: Backend>(asked: &Asked<'_, B>) -> Result<Wrapped, Problem> {
    let intake = asked.backend.intake();
    body::bounded(asked.body.len(), intake.body_bytes_max())?;
    let format = body::format(&asked.parts.headers)?;
    Wrapped::read(asked.body, format, &intake.limits)
}

/// On whose behalf: the one who is named, if the caller may name them, else the caller.
pub(super) fn client_of<B: Backend>(
    asked: &Asked<'_, B>,
    named: Option<String>,
    of_document: Option<&String>,
) -> Result<String, Problem> {
    match named.or_else(|| of_document.cloned()) {
        Some(named) if asked.caller.sees(&named) => Ok(named),
        Some(named) => {
            let own = &asked.caller.client_id;
            let detail = format!(
                "client '{own}' cannot submit for '{}' (leave client_id out)",
                short(&named)
            );
            Err(Problem::new(Code::Forbidden, detail))
        }
        None => Ok(asked.caller.client_id.clone()),
    }
}

impl Submitted {
    /// Reads the body of a request.
    pub(super) fn read<B: Backend>(asked: &Asked<'_, B>) -> Result<Submitted, Problem> {
        let wrapped = wrap(asked)?;
        if wrapped.rest.natural_language.is_some() || wrapped.rest.plan_token.is_some() {
            let detail = "this path takes a workflow (POST /workflows takes texts and plans)";
            return Err(Problem::new(Code::Malformed, detail));
        }
        Submitted::of(asked, wrapped)
    }

    /// Checks a submission.
    pub(super) fn of<B: Backend>(asked: &Asked<'_, B>, wrapped: Wrapped) -> Result<Submitted, Problem> {
        let (mut submitted, given) = Submitted::check(asked, wrapped)?;
        let inputs = submitted.workflow.bind_inputs(&given);
        submitted.inputs = inputs.map_err(|problems| faults(&problems))?;
        Ok(submitted)
    }

    /// Checks a submission that is only planned: inputs that are still to be given are named instead of refused.
    pub(super) fn planned<B: Backend>(
        asked: &Asked<'_, B>,
        wrapped: Wrapped,
    ) -> Result<(Submitted, Vec<String>), Problem> {
        let (mut submitted, given) = Submitted::check(asked, wrapped)?;
        let declared = &submitted.workflow.inputs;
        let is_open = |(name, default): &(&String, &Value)| default.is_null() && !given.contains_key(*name);
        let needs: Vec<String> = declared
            .iter()
            .filter(is_open)
            .map(|(name, _)| name.clone())
            .collect();
        if needs.is_empty() {
            let inputs = submitted.workflow.bind_inputs(&given);
            submitted.inputs = inputs.map_err(|problems| faults(&problems))?;
        } else {
            let mut inputs: Map<String, Value> = declared.clone().into_iter().collect();
            inputs.extend(given);
            submitted.inputs = Value::Object(inputs);
        }
        Ok((submitted, needs))
    }

    /// Everything but the inputs, and the inputs as they were given.
    fn check<B: Backend>(
        asked: &Asked<'_, B>,
        wrapped: Wrapped,
    ) -> Result<(Submitted, Map<String, Value>), Problem> {
        let intake = asked.backend.intake();
        body::bounded(wrapped.text.len(), intake.limits.document_bytes)?;
        let document = Document::parse(&wrapped, &intake.limits)?;
        let Document { workflow, warnings } = document;
        check_agents(&workflow, intake, &wrapped)?;
        let given = object("inputs", wrapped.rest.inputs)?;
        let metadata = Value::Object(object("metadata", wrapped.rest.metadata)?);
        if let Some(priority) = wrapped
            .rest
            .priority
            .filter(|priority| !(1..=10).contains(priority))
        {
            return Err(Rejection::PriorityOutOfRange(priority).into());
        }
        let client_id = client_of(asked, wrapped.rest.client_id, workflow.client_id.as_ref())?;
        let submitted = Submitted {
            workflow: Arc::new(workflow),
            client_id,
            inputs: Value::Null,
            metadata,
            priority: wrapped.rest.priority,
            warnings,
        };
        Ok((submitted, given))
    }

    fn request<B>(&self, asked: &Asked<'_, B>, run: RunId, needs_admission: bool) -> Request {
        Request {
            run,
            workflow: Arc::clone(&self.workflow),
            canonical: self.workflow.canonical().into(),
            client_id: self.client_id.clone(),
            inputs: Arc::new(self.inputs.clone()),
            metadata: Arc::new(self.metadata.clone()),
            priority: self.priority,
            trace: asked.carrier.clone(),
            needs_admission,
            is_fresh: translations::wants_fresh(asked),
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

pub(super) fn object(name: &str, value: Option<Value>) -> Result<Map<String, Value>, Problem> {
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
