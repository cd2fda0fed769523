//! How sentences become workflows, and what that and machines cost.

mod bedrock;
pub mod raw;

use orchestrator_core::workflow::ResourceClass;
use orchestrator_translate::prompt;

use super::Cache;
use super::load::Checker;
use crate::api::backend::TranslationLimits;
use raw::{BudgetConfig, CostsConfig, OpenAiConfig, StructuredOutput, TranslationConfig, TranslatorName};

pub use super::SecretSource as KeySource;
pub use bedrock::{Bedrock, Output as BedrockOutput};
pub use raw::StructuredOutput as Structured;

/// `translation`.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// Who translates.
    pub translator: TranslatorKind,
    /// A translation that is less sure comes to suggestions.
    pub confidence_min: f64,
    /// How often a translator is asked again.
    pub repairs_max: u32,
    /// Characters of a text.
    pub prompt_chars_max: usize,
    /// How long translations and plans can be asked for.
    pub keep_ms: u64,
    /// What a client may use up.
    pub budget: Budget,
}

/// Who translates.
#[derive(Debug, Clone, PartialEq)]
pub enum TranslatorKind {
    /// Rules and the words of the catalogue.
    Offline,
    /// A model behind an endpoint.
    OpenAi(Box<OpenAi>),
    /// A model of Amazon Bedrock.
    Bedrock(Box<Bedrock>),
}

/// A model behind an endpoint that speaks the chat completions of OpenAI.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "described at raw::OpenAiConfig")]
pub struct OpenAi {
    pub endpoint: String,
    pub model: String,
    pub temperature: f64,
    pub key: Option<KeySource>,
    pub timeout_ms: u64,
    pub retries_max: u32,
    pub structured: Structured,
    pub tokens_max: u64,
    pub falls_back: bool,
    pub usd_per_input_token: f64,
    pub usd_per_output_token: f64,
}

/// What a client may use up; `None` does not limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Tokens per minute.
    pub tokens_per_minute: Option<u32>,
    /// Tokens per day.
    pub tokens_per_day: Option<u64>,
    /// US dollars per day.
    pub usd_per_day: Option<f64>,
}

/// US dollars for an hour of a machine of each class, in the order of [`ResourceClass::ALL`]; `None` where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Costs([Option<f64>; 4]);

impl Costs {
    /// US dollars for an hour of a machine of this class.
    pub fn of(&self, class: &str) -> Option<f64> {
        let at = ResourceClass::ALL
            .iter()
            .position(|known| known.as_str() == class)?;
        self.0[at]
    }
}

impl Translation {
    /// What the API has to know of it.
    pub fn limits(&self, cache: &Cache) -> TranslationLimits {
        TranslationLimits {
            confidence_min: self.confidence_min,
            repairs_max: self.repairs_max,
            prompt_chars_max: self.prompt_chars_max,
            keep_ms: self.keep_ms,
            memo_ms: cache.default_ttl_ms,
        }
    }
}

impl Checker {
    pub(super) fn translation(&mut self, config: TranslationConfig) -> Translation {
        const KEPT_S: f64 = 86_400.0;
        let wanted = config.translator.unwrap_or(TranslatorName::Offline);
        // What is given is checked, whoever translates.
        let openai = config.openai.map(|openai| self.openai(openai));
        let bedrock = config.bedrock.map(|bedrock| self.bedrock(bedrock));
        let translator = match wanted {
            TranslatorName::Offline => Ok(TranslatorKind::Offline),
            TranslatorName::OpenAi => openai
                .map(|openai| TranslatorKind::OpenAi(Box::new(openai)))
                .ok_or("'openai' needs an endpoint and a model (give translation.openai)"),
            TranslatorName::Bedrock => bedrock
                .map(|bedrock| TranslatorKind::Bedrock(Box::new(bedrock)))
                .ok_or("'bedrock' needs a model (give translation.bedrock)"),
        };
        let translator = translator.unwrap_or_else(|message| {
            self.refuse("translation.translator", message.to_owned());
            TranslatorKind::Offline
        });
        Translation {
            translator,
            confidence_min: self.share(
                "translation.min_confidence_threshold",
                config.min_confidence_threshold,
                0.6,
                1.0,
            ),
            repairs_max: self.count("translation.max_repairs", config.max_repairs, 2, 0..=10) as u32,
            prompt_chars_max: self.count(
                "translation.prompt_chars_max",
                config.prompt_chars_max,
                prompt::CHARS_MAX as u64,
                16..=100_000,
            ) as usize,
            keep_ms: self.some_seconds("translation.keep_s", config.keep_s, KEPT_S),
            budget: self.budget(config.budget),
        }
    }

    fn openai(&mut self, config: OpenAiConfig) -> OpenAi {
        const KEY: &str = "translation.openai";
        let key = match (config.api_key_env, config.api_key_file) {
            (Some(_), Some(_)) => {
                self.refuse(
                    KEY,
                    "there are both api_key_env and api_key_file (keep one)".to_owned(),
                );
                None
            }
            (Some(name), None) => Some(KeySource::Variable(name)),
            (None, Some(path)) => Some(KeySource::File(path)),
            (None, None) => None,
        };
        self.model(KEY, &config.model);
        OpenAi {
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
            endpoint: self.url(&format!("{KEY}.endpoint"), config.endpoint, &["http"]),
            model: config.model,
            temperature: self.share(&format!("{KEY}.temperature"), config.temperature, 0.0, 2.0),
            key,
            timeout_ms: self.some_seconds(&format!("{KEY}.timeout_s"), config.timeout_s, 30.0),
            retries_max: self.count(&format!("{KEY}.max_retries"), config.max_retries, 2, 0..=10) as u32,
            structured: config.structured_output.unwrap_or(StructuredOutput::JsonSchema),
            falls_back: config.fallback.unwrap_or(true),
            tokens_max: self.count(
                &format!("{KEY}.max_tokens"),
                config.max_tokens,
                4_096,
                16..=1_000_000,
            ),
        }
    }

    fn model(&mut self, key: &str, model: &str) {
        if model.is_empty() {
            let message = "the name is empty (name a model)".to_owned();
            self.refuse(&format!("{key}.model"), message);
        }
    }

    /// US dollars for one token, of the price of a million.
    fn price_of_token(&mut self, key: &str, name: &str, price: Option<f64>) -> f64 {
        self.price(&format!("{key}.{name}"), price).unwrap_or(0.0) / 1e6
    }

    fn budget(&mut self, config: BudgetConfig) -> Budget {
        const KEY: &str = "translation.budget";
        if config.tokens_per_day == Some(0) {
            let message = "'0' would let nothing in (use 1 or more, or leave it out)".to_owned();
            self.refuse(&format!("{KEY}.tokens_per_day"), message);
        }
        Budget {
            tokens_per_minute: self
                .at_least_one(&format!("{KEY}.tokens_per_minute"), config.tokens_per_minute),
            tokens_per_day: config.tokens_per_day,
            usd_per_day: self.price(&format!("{KEY}.usd_per_day"), config.usd_per_day),
        }
    }

    pub(super) fn costs(&mut self, config: &CostsConfig) -> Costs {
        Costs([
            self.price("costs.cpu_usd_per_hour", config.cpu_usd_per_hour),
            self.price("costs.gpu_usd_per_hour", config.gpu_usd_per_hour),
            self.price("costs.memory_usd_per_hour", config.memory_usd_per_hour),
            self.price("costs.compute_usd_per_hour", config.compute_usd_per_hour),
        ])
    }

    fn share(&mut self, key: &str, value: Option<f64>, default: f64, max: f64) -> f64 {
        let share = value.unwrap_or(default);
        if !(0.0..=max).contains(&share) {
            self.refuse(key, format!("'{share}' must be a number from 0 to {max}"));
        }
        share
    }

    fn price(&mut self, key: &str, value: Option<f64>) -> Option<f64> {
        const USD_MAX: f64 = 1e9;
        let price = value?;
        if !(0.0..=USD_MAX).contains(&price) {
            self.refuse(key, format!("'{price}' must be a number of US dollars from 0"));
        }
        Some(price)
    }
}
