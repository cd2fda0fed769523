//! What is kept of a translation and of a plan, in a store that forgets after a while.

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;
use orchestrator_translate::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Translated;

/// A text that waits to be translated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Names the translation.
    pub token: RunId,
    /// On whose behalf.
    pub client_id: String,
    /// The text, as it was sent.
    pub text: String,
    /// Facts about the run.
    pub metadata: Value,
    /// Whether a remembered answer will not do.
    #[serde(default)]
    pub is_fresh: bool,
    /// The request it came with, as a W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// How far a translation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TranslationStatus")]
pub enum Status {
    /// It waits.
    Queued,
    /// A translator is at work.
    Processing,
    /// There is a workflow.
    Done,
    /// The translator did not answer.
    Error,
    /// There is no workflow that is certain enough: a person has to say more.
    NeedsHuman,
}

/// A translation as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The text and whose it is.
    pub job: Job,
    /// How far it has come.
    pub status: Status,
    /// What became of it.
    pub translated: Option<Translated>,
    /// Why the translator did not answer.
    pub error: Option<String>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it came to an end.
    pub finished_at: Option<Timestamp>,
}

impl Record {
    /// One that waits.
    pub fn queued(job: Job, now: Timestamp) -> Record {
        Record {
            job,
            status: Status::Queued,
            translated: None,
            error: None,
            asked_at: now,
            finished_at: None,
        }
    }

    /// The same with an answer.
    pub fn finished(self, answer: Result<Translated, String>, now: Timestamp) -> Record {
        let status = match &answer {
            Err(_) => Status::Error,
            Ok(translated) => match translated.translation.outcome {
                Outcome::Workflow { .. } => Status::Done,
                Outcome::NeedsHuman { .. } => Status::NeedsHuman,
            },
        };
        let (translated, error) = match answer {
            Ok(translated) => (Some(translated), None),
            Err(error) => (None, Some(error)),
        };
        Record {
            status,
            translated,
            error,
            finished_at: Some(now),
            ..self
        }
    }

    /// Where it is kept.
    pub fn key(token: RunId) -> String {
        format!("translation:{token}")
    }
}

/// A plan as it was shown: running it is running exactly this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// On whose behalf.
    pub client_id: String,
    /// The workflow.
    pub dsl: Value,
    /// Inputs that were given.
    pub inputs: Map<String, Value>,
    /// Facts about the run.
    pub metadata: Map<String, Value>,
    /// Priority of the run.
    pub priority: Option<u8>,
    /// The policy that was asked.
    pub policy_version: String,
}

impl Plan {
    /// Names the plan: a digest of everything in it.
    pub fn token(&self) -> String {
        const BYTES: usize = 10;
        let hash: [u8; 32] = Sha256::digest(serde_json::to_vec(self).expect("a plan is plain data")).into();
        hex::encode(&hash[..BYTES])
    }

    /// Where it is kept.
    pub fn key(token: &str) -> String {
        format!("plan:{token}")
    }
}
