//! Models behind the Converse API, over a real connection, through the SDK: good, sloppy and hostile ones, and what goes wrong on the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::Region;
use aws_credential_types::Credentials;
use orchestrator_aws::clients::{loader, new_connector};
use orchestrator_bedrock::Bedrock;
use orchestrator_core::policy::{Policy, Surroundings};
use orchestrator_engine::api::Intake;
use orchestrator_engine::settings::{self, BedrockOutput};
use orchestrator_engine::translation::{Request, ask};
use orchestrator_translate::catalogue::Shipped;
use orchestrator_translate::{Outcome, Prompt, Translation, TranslatorError};
use serde_json::{Value, json};
use tests::answers::{asked, good_answers, malicious, sloppy};
use tests::model::{Model, Said, text_of};

const GOOD: &str = r#"{"status": "workflow", "confidence": 0.9, "workflow": {"name": "w", "tasks":
    [{"id": "train", "agent": "ml_agent", "action": "train_model", "params": {"folds": 5}}]}}"#;

/// A translator whose service is the model.
struct World {
    translator: Bedrock,
    intake: Intake,
    policy: Policy,
}

fn settings() -> settings::Bedrock {
    settings::Bedrock {
        model: "vendor.model-v1:0".to_owned(),
        region: None,
        temperature: Some(0.0),
        timeout_ms: 10_000,
        retries_max: 1,
        output: BedrockOutput::Tool,
        tokens_max: 2_000,
        falls_back: false,
        usd_per_input_token: 3e-6,
        usd_per_output_token: 15e-6,
    }
}

impl World {
    async fn new(model: &Model, settings: settings::Bedrock) -> World {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
        let config = loader(new_connector())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .endpoint_url(&model.endpoint)
            .load()
            .await;
        World {
            translator: Bedrock::new(settings, &config),
            intake: Intake {
                catalogue: Arc::new(Shipped::DataScience.catalogue().clone()),
                ..Intake::default()
            },
            policy: Policy::new(&Default::default(), Surroundings::default()).expect("the default policy"),
        }
    }

    async fn ask(&self, text: &str) -> Result<Translation, TranslatorError> {
        let request = Request {
            client_id: "client".to_owned(),
            prompt: Prompt::new(text, 4_000).expect("a prompt"),
            metadata: json!({"urgent": true}),
            is_fresh: false,
        };
        ask(&self.translator, &request, &self.intake, &self.policy).await
    }

    /// Every request is answered as it should be; gives how many were translated.
    async fn judge(&self, name: &str) -> usize {
        let mut translated = 0;
        for asked in asked() {
            let translation = self.ask(&asked.text).await.expect("an answer");
            match (&asked.tasks, &translation.outcome) {
                (Some(expected), Outcome::Workflow { dsl, .. }) => {
                    let tasks = dsl["tasks"].as_array().expect("a workflow has tasks");
                    assert_eq!(tasks.len(), expected.len(), "{}", asked.text);
                    translated += 1;
                }
                (None, Outcome::NeedsHuman { .. }) => {}
                (_, outcome) => panic!("{}: {outcome:?}", asked.text),
            }
        }
        println!(
            "{name} model: {translated} of {} requests translated",
            asked().len()
        );
        translated
    }
}

fn good(answers: &BTreeMap<String, String>, call: &Value) -> String {
    answers[&text_of(call)].clone()
}

#[tokio::test]
async fn a_good_model_is_given_a_tool_that_it_has_to_use() {
    let answers = good_answers();
    let model = Model::of_bedrock(move |call, _| Said::Content(good(&answers, call)));
    let world = World::new(&model, settings()).await;
    assert!(world.judge("good").await > 40);
    assert_eq!(model.calls(), asked().len(), "one call each");
    let call = &model.requests()[0];
    let tool = &call["toolConfig"]["tools"][0]["toolSpec"];
    assert_eq!(
        call["toolConfig"]["toolChoice"],
        json!({"tool": {"name": tool["name"]}})
    );
    let schema = &tool["inputSchema"]["json"];
    assert_eq!(
        (&schema["type"], &schema["additionalProperties"]),
        (&json!("object"), &json!(false))
    );
    assert_eq!(
        call["inferenceConfig"],
        json!({"maxTokens": 2_000, "temperature": 0.0})
    );
    let instructions = call["system"][0]["text"].as_str().expect("instructions");
    assert!(instructions.contains("train_model"));
    let translation = world.ask(&asked()[0].text).await.expect("an answer");
    let usage = translation.usage;
    assert_eq!(
        (usage.calls, usage.input_tokens, usage.output_tokens),
        (1, 100, 50)
    );
    assert!((usage.cost_usd - (100.0 * 3e-6 + 50.0 * 15e-6)).abs() < 1e-12);
    assert_eq!(translation.translator, "bedrock:vendor.model-v1:0");
}

#[tokio::test]
async fn a_sloppy_model_is_told_what_is_wrong_and_mends_it() {
    let answers = good_answers();
    let model = Model::of_bedrock(move |call, _| Said::Content(sloppy(&good(&answers, call), call)));
    let world = World::new(&model, settings()).await;
    assert!(world.judge("sloppy").await > 40);
    assert_eq!(model.calls(), 3 * asked().len(), "two repairs each");
    let last = model.requests().pop().expect("there were calls");
    let told = last["messages"][4]["content"][0]["text"]
        .as_str()
        .expect("what was wrong")
        .to_owned();
    assert!(told.contains("unknown field `certainty`"), "{told}");
}

#[tokio::test]
async fn a_malicious_model_gets_nothing_past_the_guardrails() {
    let answers = malicious();
    let count = answers.len();
    let model = Model::of_bedrock(move |call, _| {
        let text = text_of(call);
        let number: usize = text
            .rsplit(' ')
            .next()
            .and_then(|last| last.parse().ok())
            .unwrap_or(0);
        Said::Content(answers[number % answers.len()].clone())
    });
    let mut world = World::new(&model, settings()).await;
    let decision = serde_json::from_value(json!({"blocked_actions": ["notify"]})).expect("a policy");
    world.policy = Policy::new(&decision, Surroundings::default()).expect("a policy");
    for number in 0..count {
        let translation = world
            .ask(&format!("clean the data {number}"))
            .await
            .expect("an answer");
        assert!(
            matches!(translation.outcome, Outcome::NeedsHuman { .. }),
            "{number}: {translation:?}"
        );
        assert!(
            !translation.rejected.is_empty(),
            "{number}: what was rejected is kept"
        );
    }
    println!("malicious model: {count} answers, none passed");
}

#[tokio::test]
async fn faults_are_retried_where_that_helps_and_told_where_it_does_not() {
    let huge =
        json!({"output": {"message": {"role": "assistant", "content": [{"text": "x".repeat(3 << 20)}]}}});
    let faults: [(&str, Said, usize, &str); 10] = [
        (
            "throttled",
            Said::Status(429, "ThrottlingException"),
            2,
            "ThrottlingException",
        ),
        (
            "not ready",
            Said::Status(429, "ModelNotReadyException"),
            2,
            "ModelNotReadyException",
        ),
        (
            "failed",
            Said::Status(500, "InternalServerException"),
            2,
            "InternalServerException",
        ),
        (
            "unavailable",
            Said::Status(503, "ServiceUnavailableException"),
            2,
            "ServiceUnavailableException",
        ),
        ("cut", Said::Cut(GOOD.to_owned()), 2, ""),
        ("nonsense", Said::Raw(b"<html>".to_vec()), 2, "none of Converse"),
        ("hang", Said::Hang, 2, "time"),
        (
            "denied",
            Said::Status(403, "AccessDeniedException"),
            1,
            "AccessDeniedException",
        ),
        (
            "refused",
            Said::Status(400, "ValidationException"),
            1,
            "so the test wants it",
        ),
        (
            "huge",
            Said::Raw(huge.to_string().into_bytes()),
            1,
            "more than 1048576 bytes",
        ),
    ];
    for (name, fault, calls, says) in faults {
        let once = fault.clone();
        let model = Model::of_bedrock(move |_, call| match call {
            0 => once.clone(),
            _ => Said::Content(GOOD.to_owned()),
        });
        let settings = settings::Bedrock {
            timeout_ms: 1_500,
            ..settings()
        };
        let world = World::new(&model, settings.clone()).await;
        match (world.ask("make me a model").await, calls) {
            (Ok(translation), 2) => {
                assert!(matches!(translation.outcome, Outcome::Workflow { .. }), "{name}")
            }
            (Err(error), 1) => assert!(error.to_string().contains(says), "{name}: {error}"),
            (other, _) => panic!("{name}: {other:?}"),
        }
        assert_eq!(model.calls(), calls, "{name}");
        // And when it goes on, the last one is told.
        let model = Model::of_bedrock(move |_, _| fault.clone());
        let world = World::new(&model, settings).await;
        let error = world
            .ask("make me a model")
            .await
            .expect_err("it goes on")
            .to_string();
        println!("{name}: {error}");
        assert!(error.contains(says), "{name}: {error}");
        assert_eq!(model.calls(), calls, "{name}");
    }
}

#[tokio::test]
async fn a_model_that_keeps_failing_is_left_alone() {
    let model = Model::of_bedrock(|_, _| Said::Status(503, "ServiceUnavailableException"));
    let settings = settings::Bedrock {
        retries_max: 0,
        ..settings()
    };
    let world = World::new(&model, settings).await;
    for _ in 0..8 {
        let error = world.ask("train it").await.expect_err("it is down");
        assert!(matches!(error, TranslatorError::Unavailable { .. }), "{error}");
    }
    assert_eq!(model.calls(), 5, "after five failures it rests");
}

#[tokio::test]
async fn a_model_without_tools_answers_in_words() {
    let model =
        Model::of_bedrock(|_, _| Said::Slowly(Duration::from_millis(10), format!("```json\n{GOOD}\n```")));
    let settings = settings::Bedrock {
        output: BedrockOutput::None,
        temperature: None,
        ..settings()
    };
    let world = World::new(&model, settings).await;
    let translation = world.ask("train it").await.expect("an answer");
    assert!(
        matches!(translation.outcome, Outcome::Workflow { .. }),
        "{translation:?}"
    );
    let call = &model.requests()[0];
    assert!(call["toolConfig"].is_null());
    assert_eq!(call["inferenceConfig"], json!({"maxTokens": 2_000}));
}
