//! A model behind an endpoint that speaks the chat completions of OpenAI, as most servers of models do.
//!
//! A call is bounded in time and size; after 429, 5xx or no answer it is repeated with growing pauses; an endpoint that keeps failing is
//! left alone for a while.

mod wire;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use orchestrator_engine::settings;
use orchestrator_engine::translation::breaker::Breaker;
use orchestrator_translate::{Answered, Ask, Translator, TranslatorError, Usage};
use tokio::sync::oneshot;

use crate::http::{config, is_secure};
use crate::workers::Workers;

/// Calls at a time; further ones wait in line.
const CALLS_MAX: usize = 8;
/// Longest time to reach the endpoint.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const BODY_BYTES_MAX: u64 = 1 << 20;
/// The first pause before a call is repeated; it doubles.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause, whatever the endpoint asks for.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// A model behind an endpoint.
#[derive(Debug)]
pub struct OpenAi {
    name: String,
    inner: Arc<Inner>,
    workers: Workers,
}

struct Inner {
    settings: settings::OpenAi,
    url: String,
    key: Option<String>,
    http: ureq::Agent,
    breaker: Breaker,
}

impl std::fmt::Debug for Inner {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Why a call failed.
#[derive(Debug)]
struct Failed {
    detail: String,
    /// Whether calling again may help.
    may_help: bool,
    /// After how long, when the endpoint says so.
    after: Option<Duration>,
}

impl OpenAi {
    /// A model; `key` is sent as bearer token.
    pub fn new(settings: settings::OpenAi, key: Option<String>) -> OpenAi {
        let config = config(is_secure(&settings.endpoint))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(Duration::from_millis(settings.timeout_ms)))
            .build();
        OpenAi {
            name: format!("openai:{}", settings.model),
            workers: Workers::new("translator", CALLS_MAX),
            inner: Arc::new(Inner {
                url: format!("{}/chat/completions", settings.endpoint.trim_end_matches('/')),
                settings,
                key,
                http: config.into(),
                breaker: Breaker::default(),
            }),
        }
    }

    /// Whether the offline translator answers when this one does not.
    pub fn falls_back(&self) -> bool {
        self.inner.settings.falls_back
    }

    fn unavailable(&self, detail: String, retry_after: Duration) -> TranslatorError {
        TranslatorError::Unavailable {
            translator: self.name.clone(),
            detail,
            retry_after: retry_after.as_secs().max(1),
        }
    }
}

impl Translator for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> String {
        let settings::OpenAi {
            model,
            temperature,
            endpoint,
            structured,
            ..
        } = &self.inner.settings;
        format!(
            "openai/{endpoint}/{model}/{temperature}/{structured:?}/{}",
            wire::VERSION
        )
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long a service is left alone is measured on a clock that nobody sets"
    )]
    async fn answer(&self, ask: &Ask<'_>) -> Result<Answered, TranslatorError> {
        if let Err(rest) = self.inner.breaker.admit(Instant::now()) {
            let detail = "it failed too often and is left alone for a while".to_owned();
            return Err(self.unavailable(detail, rest));
        }
        let body = wire::request(&self.inner.settings, ask).to_string();
        let (sender, receiver) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        let job = move || {
            let mut sender = sender;
            let answer = inner.call(&body, &mut sender);
            inner.breaker.note(answer.is_ok(), Instant::now());
            // Whoever asked may have gone.
            let _ = sender.send(answer);
        };
        if let Err(error) = self.workers.run(job) {
            return Err(self.unavailable(format!("no thread can be started: {error}"), Duration::ZERO));
        }
        let answer = receiver.await;
        let answer =
            answer.map_err(|_| self.unavailable("the call was given up".to_owned(), Duration::ZERO))?;
        answer.map_err(|failed| self.unavailable(failed.detail, failed.after.unwrap_or_default()))
    }
}

impl Inner {
    /// Calls until there is an answer, calling again does not help, or nobody waits for it any more.
    fn call(
        &self,
        body: &str,
        asker: &mut oneshot::Sender<Result<Answered, Failed>>,
    ) -> Result<Answered, Failed> {
        let mut repeats = 0;
        loop {
            let failed = match self.try_call(body) {
                Ok(answered) => return Ok(answered),
                Err(failed) => failed,
            };
            tracing::warn!(url = self.url, detail = failed.detail, "a model did not answer");
            if !failed.may_help || repeats >= self.settings.retries_max || asker.is_closed() {
                return Err(failed);
            }
            let pause = PAUSE.saturating_mul(1 << repeats.min(10));
            thread::sleep(failed.after.unwrap_or(pause).min(PAUSE_MAX));
            repeats += 1;
        }
    }

    fn try_call(&self, body: &str) -> Result<Answered, Failed> {
        let lost = |error: ureq::Error| Failed {
            may_help: !matches!(error, ureq::Error::BadUri(_) | ureq::Error::BodyExceedsLimit(_)),
            detail: match error {
                ureq::Error::BodyExceedsLimit(_) => {
                    format!("its answer has more than {BODY_BYTES_MAX} bytes")
                }
                error => error.to_string(),
            },
            after: None,
        };
        let mut request = self
            .http
            .post(&self.url)
            .header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.send(body).map_err(lost)?;
        let status = response.status().as_u16();
        let after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response
            .body_mut()
            .with_config()
            .limit(BODY_BYTES_MAX)
            .read_to_vec()
            .map_err(lost)?;
        if !(200..300).contains(&status) {
            let said: String = String::from_utf8_lossy(&text).chars().take(200).collect();
            return Err(Failed {
                detail: format!("status {status}: {}", said.trim()),
                may_help: matches!(status, 408 | 429 | 500..=599),
                after: after.map(Duration::from_secs),
            });
        }
        let read = wire::read(&text).map_err(|detail| Failed {
            detail,
            may_help: true,
            after: None,
        })?;
        let settings = &self.settings;
        Ok(Answered {
            text: read.content,
            usage: Usage {
                calls: 1,
                input_tokens: read.input_tokens,
                output_tokens: read.output_tokens,
                cost_usd: read.input_tokens as f64 * settings.usd_per_input_token
                    + read.output_tokens as f64 * settings.usd_per_output_token,
            },
        })
    }
}
