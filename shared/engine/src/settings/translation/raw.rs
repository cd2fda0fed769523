//! `translation` and `costs` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `master_orchestrator.translation`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TranslationConfig {
    /// Who translates: `offline` (default), or `openai` for a model behind an endpoint of that kind, or on
    /// AWS `bedrock` for a model of Amazon Bedrock.
    #[serde(default)]
    pub translator: Option<TranslatorName>,
    /// A translation that is less sure, 0 to 1, comes to suggestions.
    #[serde(default)]
    pub min_confidence_threshold: Option<f64>,
    /// How often a translator is asked again because its answer did not pass.
    #[serde(default)]
    pub max_repairs: Option<u64>,
    /// Characters of a text.
    #[serde(default)]
    pub prompt_chars_max: Option<u64>,
    /// How long translations and plans can be asked for, seconds.
    #[serde(default)]
    pub keep_s: Option<f64>,
    /// The model behind an endpoint.
    #[serde(default)]
    pub openai: Option<OpenAiConfig>,
    /// The model of Amazon Bedrock.
    #[serde(default)]
    pub bedrock: Option<BedrockConfig>,
    /// What a client may use up.
    #[serde(default)]
    pub budget: BudgetConfig,
}

/// Who translates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TranslatorName {
    /// Rules and the words of the catalogue.
    Offline,
    /// A model behind an endpoint that speaks the chat completions of OpenAI.
    OpenAi,
    /// A model of Amazon Bedrock.
    Bedrock,
}

/// `master_orchestrator.translation.openai`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenAiConfig {
    /// The URL that `/chat/completions` is added to.
    pub endpoint: String,
    /// The model.
    pub model: String,
    /// How freely it answers, 0 to 2.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Environment variable with the key.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// File with the key.
    #[serde(default)]
    pub api_key_file: Option<String>,
    /// Longest wait for an answer, seconds.
    #[serde(default)]
    pub timeout_s: Option<f64>,
    /// Times a call is repeated after 429, 5xx or no answer.
    #[serde(default)]
    pub max_retries: Option<u64>,
    /// How the endpoint is held to the form of answers.
    #[serde(default)]
    pub structured_output: Option<StructuredOutput>,
    /// Tokens of an answer.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// Whether the offline translator answers when the endpoint does not.
    #[serde(default)]
    pub fallback: Option<bool>,
    /// Price of a million tokens read, US dollars.
    #[serde(default)]
    pub usd_per_million_input: Option<f64>,
    /// Price of a million tokens written, US dollars.
    #[serde(default)]
    pub usd_per_million_output: Option<f64>,
}

/// `master_orchestrator.translation.bedrock`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BedrockConfig {
    /// Id of a model or of an inference profile, or its ARN.
    pub model: String,
    /// The region it is called in, if it is not that of the stack.
    #[serde(default)]
    pub region: Option<String>,
    /// How freely it answers, 0 to 1. Without it, the model's own default holds: some models take none.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Longest wait for an answer, seconds.
    #[serde(default)]
    pub timeout_s: Option<f64>,
    /// Times a call is repeated after throttling, 5xx or no answer.
    #[serde(default)]
    pub max_retries: Option<u64>,
    /// How the model is held to the form of answers.
    #[serde(default)]
    pub structured_output: Option<BedrockOutput>,
    /// Tokens of an answer.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// Whether the offline translator answers when the model does not.
    #[serde(default)]
    pub fallback: Option<bool>,
    /// Price of a million tokens read, US dollars.
    #[serde(default)]
    pub usd_per_million_input: Option<f64>,
    /// Price of a million tokens written, US dollars.
    #[serde(default)]
    pub usd_per_million_output: Option<f64>,
}

/// How a model of Bedrock is held to the form of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BedrockOutput {
    /// By a tool that it has to use, whose input is the answer.
    Tool,
    /// Not at all, for models without tools.
    None,
}

/// How an endpoint is held to the form of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StructuredOutput {
    /// By a JSON Schema.
    JsonSchema,
    /// To some JSON object.
    JsonObject,
    /// Not at all.
    None,
}

/// `master_orchestrator.translation.budget`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetConfig {
    /// Tokens of models per minute and client.
    #[serde(default)]
    pub tokens_per_minute: Option<u32>,
    /// Tokens of models per day (UTC) and client.
    #[serde(default)]
    pub tokens_per_day: Option<u64>,
    /// US dollars per day (UTC) and client.
    #[serde(default)]
    pub usd_per_day: Option<f64>,
}

/// `master_orchestrator.costs`: US dollars for an hour of a machine of each class.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostsConfig {
    /// Of class `cpu`.
    #[serde(default)]
    pub cpu_usd_per_hour: Option<f64>,
    /// Of class `gpu`.
    #[serde(default)]
    pub gpu_usd_per_hour: Option<f64>,
    /// Of class `memory`.
    #[serde(default)]
    pub memory_usd_per_hour: Option<f64>,
    /// Of class `compute`.
    #[serde(default)]
    pub compute_usd_per_hour: Option<f64>,
}
