//! Requests and answers of chat completions.

use orchestrator_engine::settings::{self, Structured};
use orchestrator_translate::{Ask, draft, instructions};
use serde::Deserialize;
use serde_json::{Value, json};

/// Changes with what is asked: remembered answers are bound to it.
pub(super) const VERSION: u32 = 1;

/// The body of a call: the instructions, the request as data, and earlier answers with what was wrong with them.
pub(super) fn request(settings: &settings::OpenAi, ask: &Ask<'_>) -> Value {
    let mut messages = vec![
        json!({"role": "system", "content": instructions::system(ask.rules)}),
        json!({"role": "user", "content": instructions::request(ask.prompt, ask.metadata)}),
    ];
    for rejected in ask.rejected {
        messages.push(json!({"role": "assistant", "content": rejected.answer}));
        messages.push(json!({"role": "user", "content": instructions::again(&rejected.faults)}));
    }
    let mut body = json!({
        "model": settings.model,
        "temperature": settings.temperature,
        "max_tokens": settings.tokens_max,
        "messages": messages,
    });
    match settings.structured {
        Structured::JsonSchema => {
            let schema = json!({"name": "draft", "schema": draft::json_schema()});
            body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
        }
        Structured::JsonObject => body["response_format"] = json!({"type": "json_object"}),
        Structured::None => {}
    }
    body
}

/// What is read of an answer.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub content: String,
    pub input_tokens: u64,
    pub output_tokens: u64,
}

/// Reads an answer.
pub(super) fn read(body: &[u8]) -> Result<Read, String> {
    #[derive(Deserialize)]
    struct Completion {
        choices: Vec<Choice>,
        #[serde(default)]
        usage: Tokens,
    }
    #[derive(Deserialize)]
    struct Choice {
        message: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        content: Option<String>,
    }
    #[derive(Deserialize, Default)]
    struct Tokens {
        #[serde(default)]
        prompt_tokens: u64,
        #[serde(default)]
        completion_tokens: u64,
    }
    let completion: Completion =
        serde_json::from_slice(body).map_err(|error| format!("its answer is no chat completion: {error}"))?;
    let choice = completion
        .choices
        .into_iter()
        .next()
        .ok_or("its answer has no choices")?;
    Ok(Read {
        // A model that refuses says nothing here: that is no draft, and the guardrails say so.
        content: choice.message.content.unwrap_or_default(),
        input_tokens: completion.usage.prompt_tokens,
        output_tokens: completion.usage.completion_tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_nonsense_is_told() {
        let good =
            br#"{"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": "{}"}}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 2}}"#;
        let read_good = read(good).unwrap();
        assert_eq!(
            (
                read_good.content.as_str(),
                read_good.input_tokens,
                read_good.output_tokens
            ),
            ("{}", 7, 2)
        );
        for bad in [
            &b""[..],
            b"<html>",
            b"{\"choices\": []}",
            b"{\"choices\": [{\"message\": {\"content\": 7}}]}",
            b"[1",
        ] {
            assert!(read(bad).is_err());
        }
    }
}
