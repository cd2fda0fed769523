//! A model of Amazon Bedrock as translator, by the Converse API.
//!
//! The model is given a tool whose input is the answer, and has to use it. A call is bounded in time and size; after throttling, 5xx or
//! no answer it is repeated with growing pauses; a model that keeps failing is left alone for a while.
//!
//! The only crate with the SDK's client for Bedrock: the function `translator` alone links it.
//!
//! Reading order: [`Bedrock`], [`converse`], [`document`], [`limit`].

mod converse;
mod document;
mod limit;

use std::time::{Duration, Instant};

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::config::timeout::TimeoutConfig;
use aws_sdk_bedrockruntime::config::{Builder, Region};
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_bedrockruntime::operation::converse::ConverseError;
use aws_smithy_runtime_api::client::http::http_client_fn;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use orchestrator_aws::clients::{SdkConfig, connector_reading_for};
use orchestrator_aws::fault::Fault;
use orchestrator_engine::settings;
use orchestrator_engine::translation::breaker::Breaker;
use orchestrator_translate::{Answered, Ask, Translator, TranslatorError, Usage};

use limit::Limited;

/// Largest answer that is read.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest time to reach the service.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The first pause before a call is repeated; it doubles.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// A model of Amazon Bedrock.
#[derive(Debug)]
pub struct Bedrock {
    name: String,
    settings: settings::Bedrock,
    client: Client,
    breaker: Breaker,
}

/// Why a call failed.
struct Failed {
    detail: String,
    /// Whether calling again may help.
    may_help: bool,
}

impl Bedrock {
    /// A model, called with the credentials and the endpoint of this configuration.
    pub fn new(settings: settings::Bedrock, config: &SdkConfig) -> Bedrock {
        let timeout = Duration::from_millis(settings.timeout_ms);
        let connector = connector_reading_for(timeout);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(timeout)
            .build();
        let mut builder = Builder::from(config)
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .timeout_config(timeouts)
            // Calls are repeated here, where the breaker sees them.
            .retry_config(RetryConfig::disabled())
            .interceptor(Limited(BODY_BYTES_MAX));
        if let Some(region) = &settings.region {
            builder = builder.region(Region::new(region.clone()));
        }
        Bedrock {
            name: settings.name(),
            settings,
            client: Client::from_conf(builder.build()),
            breaker: Breaker::default(),
        }
    }

    /// Calls until there is an answer, or calling again does not help.
    async fn call(&self, ask: &Ask<'_>) -> Result<Answered, Failed> {
        let mut repeats = 0;
        loop {
            let failed = match self.try_call(ask).await {
                Ok(answered) => return Ok(answered),
                Err(failed) => failed,
            };
            tracing::warn!(
                model = self.settings.model,
                detail = failed.detail,
                "a model did not answer"
            );
            if !failed.may_help || repeats >= self.settings.retries_max {
                return Err(failed);
            }
            let pause = PAUSE.saturating_mul(1 << repeats.min(10));
            tokio::time::sleep(pause.min(PAUSE_MAX)).await;
            repeats += 1;
        }
    }

    async fn try_call(&self, ask: &Ask<'_>) -> Result<Answered, Failed> {
        let request = converse::request(&self.client, &self.settings, ask).map_err(|detail| Failed {
            detail,
            may_help: false,
        })?;
        let output = request.send().await.map_err(|error| Failed {
            may_help: may_help(&error),
            detail: detail(&error),
        })?;
        let read = converse::read(output).map_err(|detail| Failed {
            detail,
            may_help: true,
        })?;
        let settings = &self.settings;
        Ok(Answered {
            text: read.text,
            usage: Usage {
                calls: 1,
                input_tokens: read.input_tokens,
                output_tokens: read.output_tokens,
                cost_usd: read.input_tokens as f64 * settings.usd_per_input_token
                    + read.output_tokens as f64 * settings.usd_per_output_token,
            },
        })
    }

    fn unavailable(&self, detail: String, after: Duration) -> TranslatorError {
        TranslatorError::Unavailable {
            translator: self.name.clone(),
            detail,
            retry_after: after.as_secs() + 1,
        }
    }
}

/// Whether calling again may help: not when the request itself, the permissions or the size of the answer are the trouble.
fn may_help(error: &SdkError<ConverseError, HttpResponse>) -> bool {
    match error {
        SdkError::ServiceError(service) => {
            // An answer that is none, or a fault that may pass.
            matches!(service.raw().status().as_u16(), 200..=299 | 408 | 424 | 429 | 500..=599)
        }
        SdkError::ResponseError(_) => !limit::is_exceeded(error),
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => true,
        _ => false,
    }
}

/// What happened, for people.
fn detail(error: &SdkError<ConverseError, HttpResponse>) -> String {
    match error {
        SdkError::ServiceError(service) if service.err().code().is_none() => {
            match service.raw().status().as_u16() {
                200..=299 => "its answer is none of Converse".to_owned(),
                status => format!("status {status}"),
            }
        }
        SdkError::ResponseError(_) if limit::is_exceeded(error) => {
            format!("its answer has more than {BODY_BYTES_MAX} bytes")
        }
        error => {
            let said = Fault::of(error).to_string();
            said.chars().take(300).collect()
        }
    }
}

impl Translator for Bedrock {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> String {
        self.settings.identity()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long a service is left alone is measured on a clock that nobody sets"
    )]
    async fn answer(&self, ask: &Ask<'_>) -> Result<Answered, TranslatorError> {
        if let Err(rest) = self.breaker.admit(Instant::now()) {
            let detail = "it failed too often and is left alone for a while".to_owned();
            return Err(self.unavailable(detail, rest));
        }
        let answer = self.call(ask).await;
        self.breaker.note(answer.is_ok(), Instant::now());
        answer.map_err(|failed| self.unavailable(failed.detail, Duration::ZERO))
    }
}
