//! One translation: ask, hold the answer against the guardrails, ask again with what was wrong, a bounded number of times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::draft::Status;
use crate::guard::{self, Passed, Rules};
use crate::prompt::Prompt;
use crate::suggest::{Suggestion, suggest};

/// Makes a draft of a prompt. The draft is text: nothing is believed of it before the guardrails have seen it.
pub trait Translator {
    /// Its name, as in `offline`.
    fn name(&self) -> &str;

    /// Everything about it that its answers depend on, such as the version of a model and its temperature.
    fn identity(&self) -> String;

    /// Answers.
    ///
    /// # Errors
    /// When it cannot be asked now.
    fn answer(&self, ask: &Ask<'_>) -> impl Future<Output = Result<Answered, TranslatorError>> + Send;
}

/// What a translator is asked.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What was written.
    pub prompt: &'a Prompt,
    /// Facts about the run, as an object.
    pub metadata: &'a Value,
    /// What the answer will be held against.
    pub rules: Rules<'a>,
    /// Earlier answers to the same prompt that did not pass.
    pub rejected: &'a [RejectedAnswer],
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The draft, as JSON.
    pub text: String,
    /// What it took.
    pub usage: Usage,
}

/// What was used up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TranslationUsage")]
pub struct Usage {
    /// Calls of a model.
    pub calls: u32,
    /// Tokens read by it.
    pub input_tokens: u64,
    /// Tokens written by it.
    pub output_tokens: u64,
    /// What that cost, US dollars, at the configured prices.
    pub cost_usd: f64,
}

impl Usage {
    /// Adds another.
    pub fn add(&mut self, other: Usage) {
        self.calls += other.calls;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cost_usd += other.cost_usd;
    }
}

/// Why a translator did not answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TranslatorError {
    /// It cannot be reached, or does not answer.
    #[error("the translator '{translator}' does not answer: {detail}")]
    Unavailable {
        /// Its name.
        translator: String,
        /// What happened.
        detail: String,
        /// Seconds after which to try again.
        retry_after: u64,
    },
    /// The client has used up what it may.
    #[error("{detail}")]
    OverBudget {
        /// Which limit.
        detail: String,
        /// Seconds after which to try again.
        retry_after: u64,
    },
}

/// An answer that did not pass, kept for inspection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RejectedAnswer {
    /// Its beginning.
    pub answer: String,
    /// What was wrong with it.
    pub faults: Vec<String>,
}

/// What became of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Translation {
    /// A workflow, or why there is none.
    pub outcome: Outcome,
    /// Who translated.
    pub translator: String,
    /// Answers that did not pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<RejectedAnswer>,
    /// What it took.
    pub usage: Usage,
}

/// A workflow, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// A workflow that passed the guardrails.
    Workflow {
        /// The document.
        dsl: Value,
        /// How sure the translator is, 0 to 1.
        confidence: f64,
        /// What the reader should know.
        notes: Vec<String>,
    },
    /// A person has to say more, or something else.
    NeedsHuman {
        /// In a word: `ambiguous`, `impossible`, `refused` or `invalid`.
        why: Why,
        /// In a sentence.
        reason: String,
        /// What could be asked for.
        suggestions: Vec<Suggestion>,
    },
}

/// Why there is no workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It can be understood in several ways, or is too vague.
    Ambiguous,
    /// No agent can do it.
    Impossible,
    /// It asks for something it must not get.
    Refused,
    /// No answer of the translator passed the guardrails.
    Invalid,
}

/// Bytes kept of a rejected answer, and of what was wrong with it.
const KEPT_BYTES_MAX: usize = 4_000;
const FAULTS_MAX: usize = 20;
/// Suggestions that come with a refusal.
const SUGGESTIONS: usize = 5;

/// Translates; asks again at most `repairs_max` times.
///
/// # Errors
/// When the translator does not answer.
pub async fn translate(
    translator: &impl Translator,
    prompt: &Prompt,
    metadata: &Value,
    rules: Rules<'_>,
    repairs_max: u32,
) -> Result<Translation, TranslatorError> {
    let mut usage = Usage::default();
    let mut rejected: Vec<RejectedAnswer> = Vec::new();
    let mut outcome = None;
    for _ in 0..=repairs_max {
        let ask = Ask {
            prompt,
            metadata,
            rules,
            rejected: &rejected,
        };
        let answered = translator.answer(&ask).await?;
        usage.add(answered.usage);
        match guard::check(&answered.text, rules) {
            Ok(passed) => {
                outcome = Some(of_passed(passed, prompt, rules));
                break;
            }
            Err(found) => {
                let is_final = found.is_final;
                rejected.push(RejectedAnswer {
                    answer: beginning(&answered.text),
                    faults: found
                        .faults
                        .iter()
                        .take(FAULTS_MAX)
                        .map(|fault| beginning(fault))
                        .collect(),
                });
                if is_final {
                    outcome = Some(no(Why::Refused, found.faults.join("; "), prompt, rules));
                    break;
                }
            }
        }
    }
    let outcome = outcome.unwrap_or_else(|| {
        let answers = rejected.len();
        let reason = format!(
            "none of the {answers} answers of '{}' passed the guardrails",
            translator.name()
        );
        no(Why::Invalid, reason, prompt, rules)
    });
    Ok(Translation {
        outcome,
        translator: translator.name().to_owned(),
        rejected,
        usage,
    })
}

fn of_passed(passed: Passed, prompt: &Prompt, rules: Rules<'_>) -> Outcome {
    match passed {
        Passed::Workflow {
            document,
            confidence,
            notes,
        } => Outcome::Workflow {
            dsl: document,
            confidence,
            notes,
        },
        Passed::Nothing { status, reason } => {
            let why = match status {
                Status::Impossible => Why::Impossible,
                Status::Refused => Why::Refused,
                Status::Ambiguous | Status::Workflow => Why::Ambiguous,
            };
            no(why, reason, prompt, rules)
        }
    }
}

fn no(why: Why, reason: String, prompt: &Prompt, rules: Rules<'_>) -> Outcome {
    Outcome::NeedsHuman {
        why,
        reason,
        suggestions: suggest(prompt.text(), rules.catalogue, rules.policy, SUGGESTIONS),
    }
}

fn beginning(text: &str) -> String {
    let end = (0..=KEPT_BYTES_MAX.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].to_owned()
}
