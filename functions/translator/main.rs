//! Function `translator`: texts that wait to be translated, by a model of Amazon Bedrock. The only program with a client for it.

use lambda_runtime::Error;
use orchestrator_bedrock::Bedrock;
use orchestrator_engine::settings::TranslatorKind;
use orchestrator_functions::start::Function;
use orchestrator_functions::{log, translations};
use orchestrator_translate::offline::Offline;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let function = &Function::start("translator").await?;
    match &function.translation.translator {
        TranslatorKind::Bedrock(settings) => {
            let config = &function.engine.ports().clients.config;
            translations::serve(function, Bedrock::new((**settings).clone(), config)).await
        }
        // What a model was asked before the configuration changed.
        TranslatorKind::Offline | TranslatorKind::OpenAi(_) => translations::serve(function, Offline).await,
    }
}
