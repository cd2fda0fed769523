//! Who translates on AWS: the offline translator wherever it is asked, a model only in the function `translator`.

use std::sync::Arc;

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::engine::Engine;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Cache;
use orchestrator_engine::settings::{Translation, TranslatorKind};
use orchestrator_engine::translation::Job;
use orchestrator_engine::translation::desk::{Desk, Options};
use orchestrator_translate::offline::Offline;
use orchestrator_translate::{Answered, Ask, Translator, TranslatorError};

use crate::clock::SystemClock;
use crate::host::AwsHost;
use crate::messages::send::Outgoing;
use crate::messages::translations::encode;

/// The desk of a process.
pub type TranslationDesk<T> = Desk<T, HostCache, SystemClock>;

/// The cache of the engine's ports.
#[derive(Debug, Clone)]
pub struct HostCache(pub Arc<Engine<AwsHost>>);

impl Cache for HostCache {
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, HostError> {
        self.0.ports().cache.get(key, now).await
    }

    async fn put(&self, key: &str, value: &[u8], now: Timestamp, until: Timestamp) -> Result<(), HostError> {
        self.0.ports().cache.put(key, value, now, until).await
    }

    async fn claim(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, HostError> {
        self.0.ports().cache.claim(key, value, now, until).await
    }

    async fn remove(&self, key: &str) -> Result<(), HostError> {
        self.0.ports().cache.remove(key).await
    }
}

/// Makes the desk of a translator.
pub fn desk<T: Translator>(
    engine: &Arc<Engine<AwsHost>>,
    settings: &Translation,
    translator: T,
) -> TranslationDesk<T> {
    let bedrock = match &settings.translator {
        TranslatorKind::Bedrock(bedrock) => Some(bedrock),
        TranslatorKind::Offline | TranslatorKind::OpenAi(_) => None,
    };
    let options = Options {
        budget: settings.budget,
        asks_elsewhere: bedrock.is_some(),
        falls_back: bedrock.is_some_and(|bedrock| bedrock.falls_back),
    };
    Desk::new(translator, HostCache(Arc::clone(engine)), SystemClock, options)
}

/// Who translates, as the functions of the API see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiTranslator {
    /// Rules and the words of the catalogue: here, at once.
    Offline,
    /// Somebody whom another function asks.
    Elsewhere {
        /// Its name.
        name: String,
        /// What remembered answers are bound to.
        identity: String,
    },
}

impl ApiTranslator {
    /// The translator of a configuration.
    pub fn of(settings: &Translation) -> ApiTranslator {
        match &settings.translator {
            TranslatorKind::Bedrock(bedrock) => ApiTranslator::Elsewhere {
                name: bedrock.name(),
                identity: bedrock.identity(),
            },
            TranslatorKind::Offline | TranslatorKind::OpenAi(_) => ApiTranslator::Offline,
        }
    }
}

impl Translator for ApiTranslator {
    fn name(&self) -> &str {
        match self {
            ApiTranslator::Offline => Offline.name(),
            ApiTranslator::Elsewhere { name, .. } => name,
        }
    }

    fn identity(&self) -> String {
        match self {
            ApiTranslator::Offline => Offline.identity(),
            ApiTranslator::Elsewhere { identity, .. } => identity.clone(),
        }
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Answered, TranslatorError> {
        match self {
            ApiTranslator::Offline => Offline.answer(ask).await,
            ApiTranslator::Elsewhere { name, .. } => Err(TranslatorError::Unavailable {
                translator: name.clone(),
                detail: "it is asked by the function translator only (use POST /workflows/translate)"
                    .to_owned(),
                retry_after: 1,
            }),
        }
    }
}

/// Sends the message about a text that was accepted.
pub(crate) async fn send(host: &AwsHost, queue: Option<&str>, job: &Job) -> Result<(), HostError> {
    const WHAT: &str = "the queue of translations";
    let queue = queue.ok_or_else(|| HostError {
        what: WHAT,
        detail: format!("{} is not set", crate::env::TRANSLATIONS_QUEUE),
    })?;
    let message = message(job.token, job.traceparent.clone());
    let sent = host.sender.send(queue, vec![message]).await;
    sent.map_err(|fault| fault.in_part(WHAT))
}

fn message(token: RunId, traceparent: Option<String>) -> Outgoing {
    Outgoing {
        body: encode(token),
        group: None,
        deduplication: None,
        delay_seconds: 0,
        traceparent,
    }
}
