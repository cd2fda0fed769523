//! Sentences: `POST /workflows` with a text, `POST /workflows/suggest`. What is translated later is in `later`.
//!
//! Whatever a translator answers goes the way of every document: parsed, validated, asked about. A text by itself comes to a plan; it
//! runs when that is said, or when the plan's token comes back.

use http::StatusCode;
use http::header::CACHE_CONTROL;
use orchestrator_translate::suggest::{SUGGESTIONS_MAX, suggest as nearest};
use orchestrator_translate::{Outcome, Prompt, PromptFault, TranslatorError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::backend::Backend;
use super::body;
use super::handle::Asked;
use super::later;
use super::policies;
use super::problem::{Code, Problem};
use super::query::{Query, short};
use super::response::{self, Answer};
use super::submission::{Mode, SubmissionBody, Wrapped};
use super::workflows::{self, Submitted, client_of, object};
use crate::translation::{Job, ORIGIN, Plan, Record, Request, Soon, Translated};
use crate::views::{EstimateView, ProposalView, SuggestionList};

/// The body of `POST /workflows/translate` and `POST /workflows/suggest`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Text")]
pub struct TextBody {
    /// What is to be done, in words.
    #[serde(default)]
    pub natural_language: String,
    /// Facts about the run for the policy (`urgent`, `dataset_size`, ...).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// On whose behalf; only an operator may name another client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Of `suggest`: how many, 1 to 20; default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// A submission that is a text: a plan of what it comes to, or a run of it.
pub(super) async fn submit<B: Backend>(
    asked: Asked<'_, B>,
    rest: SubmissionBody,
    mode: Option<Mode>,
) -> Result<Answer, Problem> {
    let text = rest.natural_language.clone().unwrap_or_default();
    let metadata = object("metadata", rest.metadata.clone())?;
    let client_id = client_of(&asked, rest.client_id.clone(), None)?;
    let job = Job {
        token: asked.id,
        client_id,
        text,
        metadata: Value::Object(metadata),
        is_fresh: wants_fresh(&asked),
        traceparent: asked.carrier.parent.clone(),
    };
    let request = request(asked.backend, &job)?;
    let translated = match asked.backend.translate_soon(&request, job.token).await? {
        Soon::Now(translated) => *translated,
        Soon::Later => return later::accept(asked.backend, job).await,
        Soon::Under(token) => return Ok(later::accepted(token)),
    };
    let outcome = translated.translation.outcome.clone();
    let record =
        Record::queued(job, asked.backend.now()).finished(Ok(translated.clone()), asked.backend.now());
    // Without it the answer cannot be looked at later; the answer itself is good all the same.
    if let Err(error) = later::keep(asked.backend, &record).await {
        tracing::warn!(%error, "a translation is not kept");
    }
    match outcome {
        Outcome::Workflow { dsl, confidence, .. } => {
            let mut metadata = object("metadata", rest.metadata)?;
            metadata.insert(ORIGIN.to_owned(), origin(&translated, confidence));
            let rest = SubmissionBody {
                natural_language: None,
                metadata: Some(Value::Object(metadata)),
                ..rest
            };
            match mode {
                Some(Mode::Run) => {
                    let wrapped = Wrapped::of_document(&dsl, rest);
                    let submitted = Submitted::of(&asked, wrapped)?;
                    workflows::start(asked, submitted).await
                }
                Some(Mode::Plan) | None => propose(asked, dsl, rest, translated).await,
            }
        }
        Outcome::NeedsHuman {
            reason, suggestions, ..
        } => Err(Problem {
            suggestions,
            translation: Some(asked.id.to_string()),
            ..Problem::new(Code::NeedsHuman, format!("nothing runs: {reason}"))
        }),
    }
}

/// What a run keeps about the translation it comes from; rules of a policy may look at it as `run.metadata.translation`.
fn origin(translated: &Translated, confidence: f64) -> Value {
    let Translated { translation, source } = translated;
    json!({
        "translator": translation.translator,
        "confidence": confidence,
        "source": source,
        "tokens": translation.usage.input_tokens + translation.usage.output_tokens,
        "cost_usd": translation.usage.cost_usd,
    })
}

/// Whether a remembered translation, or a kept result of a task, will not do.
pub(super) fn wants_fresh<B>(asked: &Asked<'_, B>) -> bool {
    let values = asked.parts.headers.get_all(CACHE_CONTROL).iter();
    let mut words = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    words.any(|word| word.trim().eq_ignore_ascii_case("no-cache"))
}

pub(super) fn request<B: Backend>(backend: &B, job: &Job) -> Result<Request, Problem> {
    Ok(Request {
        client_id: job.client_id.clone(),
        prompt: Prompt::new(&job.text, backend.intake().translation.prompt_chars_max)?,
        metadata: job.metadata.clone(),
        is_fresh: job.is_fresh,
    })
}

async fn propose<B: Backend>(
    asked: Asked<'_, B>,
    dsl: Value,
    rest: SubmissionBody,
    translated: Translated,
) -> Result<Answer, Problem> {
    let inputs = object("inputs", rest.inputs.clone())?;
    let metadata = object("metadata", rest.metadata.clone())?;
    let priority = rest.priority;
    let (submitted, needs) = Submitted::planned(&asked, Wrapped::of_document(&dsl, rest))?;
    let plan_view = policies::plan(&asked, &submitted, false);
    let plan = Plan {
        client_id: submitted.client_id.clone(),
        dsl: dsl.clone(),
        inputs,
        metadata,
        priority,
        policy_version: plan_view.policy_version.clone(),
    };
    let plan_token = plan.token();
    let kept = serde_json::to_vec(&plan).expect("a plan is plain data");
    let until = asked.backend.now() + asked.backend.intake().translation.keep_ms;
    asked.backend.keep(&Plan::key(&plan_token), &kept, until).await?;
    let intake = asked.backend.intake();
    // Estimates are coarse: without measurements they rest on the catalogue.
    let measured = asked
        .backend
        .sla(None, 1)
        .await
        .map(|view| view.agents)
        .unwrap_or_default();
    let (confidence, notes) = match translated.translation.outcome {
        Outcome::Workflow {
            confidence, notes, ..
        } => (confidence, notes),
        Outcome::NeedsHuman { .. } => (0.0, Vec::new()),
    };
    let proposal = ProposalView {
        plan_token,
        translation: asked.id,
        confidence,
        notes,
        needs,
        translator: translated.translation.translator,
        source: translated.source,
        usage: translated.translation.usage,
        estimate: EstimateView::of(&plan_view, &intake.catalogue, &measured, &intake.costs),
        dsl,
        plan: plan_view,
    };
    Ok(response::json(StatusCode::OK, &proposal))
}

/// The document of a plan that was shown, as a submission.
pub(super) async fn of_plan<B: Backend>(
    asked: &Asked<'_, B>,
    rest: SubmissionBody,
) -> Result<Wrapped, Problem> {
    let token = rest.plan_token.unwrap_or_default();
    if rest.metadata.is_some() || rest.priority.is_some() || rest.natural_language.is_some() {
        let detail =
            "a plan runs as it was shown (leave metadata, priority and text out; inputs may be given)";
        return Err(Problem::new(Code::Malformed, detail));
    }
    let unknown = || {
        let detail = format!(
            "there is no plan '{}' (plans are kept for a while; make it again)",
            short(&token)
        );
        Problem::new(Code::UnknownPlan, detail)
    };
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let kept = asked.backend.kept(&Plan::key(&token)).await?;
    let plan: Option<Plan> = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
    let plan = plan
        .filter(|plan| asked.caller.sees(&plan.client_id))
        .ok_or_else(unknown)?;
    if plan.policy_version != asked.backend.policy().version() {
        let detail = format!(
            "plan '{token}' was made under policy {}, and now policy {} is in force (look at it again)",
            plan.policy_version,
            asked.backend.policy().version()
        );
        return Err(Problem::new(Code::PlanOutdated, detail));
    }
    let mut inputs = plan.inputs;
    inputs.extend(object("inputs", rest.inputs)?);
    let rest = SubmissionBody {
        inputs: Some(Value::Object(inputs)),
        metadata: Some(Value::Object(plan.metadata)),
        priority: plan.priority,
        client_id: Some(plan.client_id),
        ..SubmissionBody::default()
    };
    Ok(Wrapped::of_document(&plan.dsl, rest))
}

pub(super) fn text_body<B: Backend>(asked: &Asked<'_, B>) -> Result<TextBody, Problem> {
    body::bounded(asked.body.len(), asked.backend.intake().body_bytes_max())?;
    body::small(&asked.parts.headers, asked.body)
}

/// Answers `POST /workflows/suggest`.
pub(super) async fn suggest<B: Backend>(asked: Asked<'_, B>) -> Result<Answer, Problem> {
    const COUNT: u32 = 5;
    Query::read(asked.parts.uri.query(), &[])?;
    workflows::take_token(&asked).await?;
    let body: TextBody = text_body(&asked)?;
    let count = body.count.unwrap_or(COUNT);
    if !(1..=SUGGESTIONS_MAX as u32).contains(&count) {
        let detail = format!("'count' is {count} (a whole number from 1 to {SUGGESTIONS_MAX})");
        return Err(Problem::new(Code::Malformed, detail));
    }
    let intake = asked.backend.intake();
    let text = match Prompt::new(&body.natural_language, intake.translation.prompt_chars_max) {
        Ok(prompt) => prompt.text().to_owned(),
        // Whoever says nothing gets to see something of everything.
        Err(PromptFault::Empty) => String::new(),
        Err(fault) => return Err(fault.into()),
    };
    let suggestions = nearest(&text, &intake.catalogue, asked.backend.policy(), count as usize);
    Ok(response::json(StatusCode::OK, &SuggestionList { suggestions }))
}

/// What a body without a workflow and without a text gets besides its problem.
pub(super) fn instead<B: Backend>(asked: &Asked<'_, B>, problem: Problem) -> Problem {
    const COUNT: usize = 5;
    let suggestions = nearest(
        "",
        &asked.backend.intake().catalogue,
        asked.backend.policy(),
        COUNT,
    );
    Problem {
        suggestions,
        ..problem
    }
}

impl From<PromptFault> for Problem {
    fn from(fault: PromptFault) -> Problem {
        let code = match fault {
            PromptFault::Empty => Code::Malformed,
            PromptFault::TooLong { .. } => Code::TooLarge,
        };
        Problem::new(code, fault.to_string())
    }
}

impl From<TranslatorError> for Problem {
    fn from(error: TranslatorError) -> Problem {
        let (code, seconds) = match &error {
            TranslatorError::Unavailable { retry_after, .. } => (Code::TranslatorDown, *retry_after),
            TranslatorError::OverBudget { retry_after, .. } => (Code::OverBudget, *retry_after),
        };
        Problem::new(code, error.to_string()).retry_after(seconds)
    }
}
