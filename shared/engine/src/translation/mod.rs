//! Sentences on their way to workflows: what is asked of a host, what is kept of the answer, and what remembered answers are bound to.

pub mod breaker;
pub mod desk;
mod key;
pub mod later;
mod record;

use orchestrator_core::policy::Policy;
use orchestrator_translate::guard::Rules;
use orchestrator_translate::{Prompt, Translation, Translator, TranslatorError, Usage, translate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use key::memo_key;
pub use later::Soon;
pub use record::{Job, Plan, Record, Status};

use crate::api::Intake;

/// What a run that comes from a text keeps about its translation, in its metadata.
pub const ORIGIN: &str = "translation";

/// A text to be translated.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// On whose behalf; remembered answers are never another client's.
    pub client_id: String,
    /// The text.
    pub prompt: Prompt,
    /// Facts about the run, as an object.
    pub metadata: Value,
    /// Whether a remembered answer will not do.
    pub is_fresh: bool,
}

/// What became of a text, and where the answer came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Translated {
    /// What became of it.
    pub translation: Translation,
    /// Where it came from.
    pub source: Source,
}

impl Translated {
    /// The same for somebody else who asked: it cost nothing this time.
    pub fn shared(mut self) -> Translated {
        self.translation.usage = Usage::default();
        self.source = Source::Shared;
        self
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TranslationSource")]
pub enum Source {
    /// The translator was asked.
    Translator,
    /// It was remembered.
    Memory,
    /// Somebody else asked the same at the same time.
    Shared,
}

/// What answers are held against.
pub fn rules<'a>(intake: &'a Intake, policy: &'a Policy) -> Rules<'a> {
    Rules {
        catalogue: &intake.catalogue,
        policy,
        limits: &intake.limits,
        confidence_min: intake.translation.confidence_min,
    }
}

/// Asks a translator, without memory.
///
/// # Errors
/// When it does not answer.
pub async fn ask(
    translator: &impl Translator,
    request: &Request,
    intake: &Intake,
    policy: &Policy,
) -> Result<Translation, TranslatorError> {
    let rules = rules(intake, policy);
    translate(
        translator,
        &request.prompt,
        &request.metadata,
        rules,
        intake.translation.repairs_max,
    )
    .await
}
