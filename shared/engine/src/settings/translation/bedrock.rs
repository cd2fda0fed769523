//! `translation.bedrock`: a model of Amazon Bedrock.

pub use super::raw::BedrockOutput as Output;
use super::raw::{BedrockConfig, BedrockOutput};
use crate::settings::load::Checker;

/// Changes with what the adapter asks of a model: remembered answers are bound to it.
const VERSION: u32 = 1;

/// A model of Amazon Bedrock.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "described at raw::BedrockConfig")]
pub struct Bedrock {
    pub model: String,
    pub region: Option<String>,
    pub temperature: Option<f64>,
    pub timeout_ms: u64,
    pub retries_max: u32,
    pub output: Output,
    pub tokens_max: i32,
    pub falls_back: bool,
    pub usd_per_input_token: f64,
    pub usd_per_output_token: f64,
}

impl Bedrock {
    /// Everything about the translator that its answers depend on; known also to a function that does not call it.
    pub fn identity(&self) -> String {
        let Bedrock {
            model,
            region,
            temperature,
            output,
            tokens_max,
            ..
        } = self;
        format!("bedrock/{region:?}/{model}/{temperature:?}/{output:?}/{tokens_max}/{VERSION}")
    }

    /// The translator's name.
    pub fn name(&self) -> String {
        format!("bedrock:{}", self.model)
    }
}

impl Checker {
    pub(super) fn bedrock(&mut self, config: BedrockConfig) -> Bedrock {
        const KEY: &str = "translation.bedrock";
        self.model(KEY, &config.model);
        if config.region.as_ref().is_some_and(String::is_empty) {
            let message = "the name is empty (name a region, or leave it out)".to_owned();
            self.refuse(&format!("{KEY}.region"), message);
        }
        let temperature = config
            .temperature
            .map(|wanted| self.share(&format!("{KEY}.temperature"), Some(wanted), 0.0, 1.0));
        Bedrock {
            model: config.model,
            region: config.region,
            temperature,
            timeout_ms: self.some_seconds(&format!("{KEY}.timeout_s"), config.timeout_s, 60.0),
            retries_max: self.count(&format!("{KEY}.max_retries"), config.max_retries, 2, 0..=10) as u32,
            output: config.structured_output.unwrap_or(BedrockOutput::Tool),
            tokens_max: self.count(
                &format!("{KEY}.max_tokens"),
                config.max_tokens,
                4_096,
                16..=100_000,
            ) as i32,
            falls_back: config.fallback.unwrap_or(true),
            usd_per_input_token: self.price_of_token(
                KEY,
                "usd_per_million_input",
                config.usd_per_million_input,
            ),
            usd_per_output_token: self.price_of_token(
                KEY,
                "usd_per_million_output",
                config.usd_per_million_output,
            ),
        }
    }
}
