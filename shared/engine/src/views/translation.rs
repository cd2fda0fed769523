//! Translations and what they would come to.

use std::collections::BTreeMap;

use orchestrator_core::ids::RunId;
use orchestrator_translate::translate::{Outcome, RejectedAnswer, Usage, Why};
use orchestrator_translate::{Catalogue, Suggestion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sla::AgentView;
use super::{At, PlanView};
use crate::settings::Costs;
use crate::translation::{Record, Source, Status};

/// What a text would come to: nothing runs before it is said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Proposal")]
pub struct ProposalView {
    /// Runs exactly this, as `plan_token` of `POST /workflows`.
    pub plan_token: String,
    /// The translation, for `GET /translation/{token}`.
    #[schemars(with = "String")]
    pub translation: RunId,
    /// How sure the translator is, 0 to 1.
    pub confidence: f64,
    /// What the reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Inputs that have to be given before it can run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Who translated.
    pub translator: String,
    /// Where the answer came from.
    pub source: Source,
    /// What translating took.
    pub usage: Usage,
    /// The workflow.
    pub dsl: Value,
    /// The decisions it would get now.
    pub plan: PlanView,
    /// What a run would take.
    pub estimate: EstimateView,
}

/// What a run would take, as far as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Estimate")]
pub struct EstimateView {
    /// Work of all tasks, seconds.
    pub task_seconds: f64,
    /// The longest path through the graph, seconds, when nothing waits for a slot.
    pub elapsed_seconds: f64,
    /// What the machines would cost, US dollars; `null` without prices.
    pub cost_usd: Option<f64>,
    /// Tasks of which nothing is known: they count as nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

impl EstimateView {
    /// The estimate of a plan: by how long such tasks took (the median), else by what the catalogue says.
    pub fn of(plan: &PlanView, catalogue: &Catalogue, measured: &[AgentView], costs: &Costs) -> EstimateView {
        let mut ends: BTreeMap<&str, f64> = BTreeMap::new();
        let mut estimate = EstimateView {
            task_seconds: 0.0,
            elapsed_seconds: 0.0,
            cost_usd: Some(0.0),
            unknown: Vec::new(),
        };
        for task in &plan.tasks {
            let measured = measured
                .iter()
                .find(|times| times.agent == task.agent && times.action == task.action);
            let measured = measured
                .filter(|times| times.attempts > 0)
                .map(|times| times.run.p50_ms as f64 / 1_000.0);
            let typical = || catalogue.action(&task.agent, &task.action)?.typical_seconds;
            let seconds = measured.or_else(typical).unwrap_or_else(|| {
                estimate.unknown.push(task.id.clone());
                0.0
            });
            let start = task
                .depends_on
                .iter()
                .filter_map(|up| ends.get(up.as_str()))
                .copied()
                .fold(0.0, f64::max);
            ends.insert(&task.id, start + seconds);
            estimate.task_seconds += seconds;
            estimate.elapsed_seconds = estimate.elapsed_seconds.max(start + seconds);
            let price = costs.of(&task.choice.resource_class);
            estimate.cost_usd = estimate
                .cost_usd
                .zip(price)
                .map(|(sum, price)| sum + price * seconds / 3_600.0);
        }
        estimate
    }
}

/// A translation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Translation")]
pub struct TranslationView {
    /// Its name.
    #[schemars(with = "String")]
    pub token: RunId,
    /// On whose behalf.
    pub client_id: String,
    /// How far it has come.
    pub status: Status,
    /// The text.
    pub natural_language: String,
    /// Facts about the run.
    pub metadata: Value,
    /// When it was asked for.
    #[schemars(with = "String")]
    pub asked_at: At,
    /// When it came to an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<At>,
    /// The workflow, when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsl: Option<Value>,
    /// How sure the translator is, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What the reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why there is no workflow, in a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Why there is no workflow, or no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What could be asked for instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
    /// Who translated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub translator: Option<String>,
    /// Where the answer came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Answers that did not pass the guardrails, with what was wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<RejectedAnswer>,
    /// What it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl TranslationView {
    /// The view of what is kept.
    pub fn of(record: Record) -> TranslationView {
        let Record {
            job,
            status,
            translated,
            error,
            asked_at,
            finished_at,
        } = record;
        let mut view = TranslationView {
            token: job.token,
            client_id: job.client_id,
            status,
            natural_language: job.text,
            metadata: job.metadata,
            asked_at: At(asked_at),
            finished_at: finished_at.map(At),
            dsl: None,
            confidence: None,
            notes: Vec::new(),
            why: None,
            reason: error,
            suggestions: Vec::new(),
            translator: None,
            source: None,
            rejected: Vec::new(),
            usage: None,
        };
        let Some(translated) = translated else {
            return view;
        };
        view.source = Some(translated.source);
        view.translator = Some(translated.translation.translator);
        view.rejected = translated.translation.rejected;
        view.usage = Some(translated.translation.usage);
        match translated.translation.outcome {
            Outcome::Workflow {
                dsl,
                confidence,
                notes,
            } => {
                view.dsl = Some(dsl);
                view.confidence = Some(confidence);
                view.notes = notes;
            }
            Outcome::NeedsHuman {
                why,
                reason,
                suggestions,
            } => {
                view.why = Some(why);
                view.reason = Some(reason);
                view.suggestions = suggestions;
            }
        }
        view
    }
}

/// The answer to `POST /workflows/translate`, and to a text that takes longer to be translated than a request may.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TranslationAccepted {
    /// Names the translation, for `GET /translation/{token}`.
    #[schemars(with = "String")]
    pub token: RunId,
    /// How far it has come.
    pub status: Status,
}

/// The answer to `POST /workflows/suggest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuggestionList {
    /// The nearest first.
    pub suggestions: Vec<Suggestion>,
}
