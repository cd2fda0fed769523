//! Requests and answers of Converse.

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::operation::converse::ConverseOutput;
use aws_sdk_bedrockruntime::operation::converse::builders::ConverseFluentBuilder;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, InferenceConfiguration, Message, SpecificToolChoice, SystemContentBlock,
    Tool, ToolChoice, ToolConfiguration, ToolInputSchema, ToolSpecification,
};
use orchestrator_engine::settings;
use orchestrator_engine::settings::BedrockOutput;
use orchestrator_translate::{Ask, draft, instructions};
use serde_json::Value;

use crate::document;

/// The tool whose input is the answer.
pub(super) const TOOL: &str = "draft";

/// What is read of an answer.
pub(super) struct Read {
    pub text: String,
    pub input_tokens: u64,
    pub output_tokens: u64,
}

/// A call: the instructions, the request as data, and earlier answers with what was wrong with them.
pub(super) fn request(
    client: &Client,
    settings: &settings::Bedrock,
    ask: &Ask<'_>,
) -> Result<ConverseFluentBuilder, String> {
    let mut messages = vec![message(
        ConversationRole::User,
        instructions::request(ask.prompt, ask.metadata),
    )?];
    for rejected in ask.rejected {
        messages.push(message(ConversationRole::Assistant, rejected.answer.clone())?);
        messages.push(message(
            ConversationRole::User,
            instructions::again(&rejected.faults),
        )?);
    }
    let inference = InferenceConfiguration::builder()
        .max_tokens(settings.tokens_max)
        .set_temperature(settings.temperature.map(|temperature| temperature as f32))
        .build();
    let call = client
        .converse()
        .model_id(&settings.model)
        .system(SystemContentBlock::Text(instructions::system(ask.rules)))
        .set_messages(Some(messages))
        .inference_config(inference);
    Ok(match settings.output {
        BedrockOutput::Tool => call.tool_config(tool()?),
        BedrockOutput::None => call,
    })
}

fn message(role: ConversationRole, text: String) -> Result<Message, String> {
    // Bedrock takes no empty texts.
    let text = match text.trim().is_empty() {
        true => "(nothing)".to_owned(),
        false => text,
    };
    let message = Message::builder().role(role).content(ContentBlock::Text(text));
    message.build().map_err(incomplete)
}

fn tool() -> Result<ToolConfiguration, String> {
    let tool = ToolSpecification::builder()
        .name(TOOL)
        .description("Takes the answer to the request: a workflow, or why there is none.")
        .input_schema(ToolInputSchema::Json(document::of(&schema())))
        .build()
        .map_err(incomplete)?;
    let choice = SpecificToolChoice::builder()
        .name(TOOL)
        .build()
        .map_err(incomplete)?;
    ToolConfiguration::builder()
        .tools(Tool::ToolSpec(tool))
        .tool_choice(ToolChoice::Tool(choice))
        .build()
        .map_err(incomplete)
}

/// The schema of an answer, without the keys that only name it.
fn schema() -> Value {
    let mut schema = draft::json_schema();
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        schema.remove("title");
    }
    schema
}

fn incomplete(error: impl ToString) -> String {
    format!("the request cannot be built: {}", error.to_string())
}

/// Reads an answer: the input of the tool, or else the text. A model that says nothing gives an empty text: that is no draft, and the
/// guardrails say so.
pub(super) fn read(output: ConverseOutput) -> Result<Read, String> {
    let message = output
        .output
        .as_ref()
        .and_then(|output| output.as_message().ok())
        .ok_or("its answer has no message")?;
    let used = message
        .content()
        .iter()
        .filter_map(|block| block.as_tool_use().ok())
        .find(|used| used.name() == TOOL);
    let text = match used {
        Some(used) => document::to_json(used.input()).to_string(),
        None => message
            .content()
            .iter()
            .filter_map(|block| block.as_text().ok())
            .map(String::as_str)
            .collect(),
    };
    let tokens = |count: i32| u64::try_from(count).unwrap_or(0);
    let usage = output.usage();
    Ok(Read {
        text,
        input_tokens: usage.map_or(0, |usage| tokens(usage.input_tokens())),
        output_tokens: usage.map_or(0, |usage| tokens(usage.output_tokens())),
    })
}
