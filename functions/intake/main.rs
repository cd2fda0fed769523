//! Function `intake`: requests of the HTTP API.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use orchestrator_functions::api::Api;
use orchestrator_functions::{gateway::GatewayRequest, log, start::Function};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let function = &Function::start().await?;
    let api = &Api::new(function, None);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<GatewayRequest>| {
        let answered = api.answer(event.payload);
        Ok::<_, Error>(function.invocation(&event.context, answered).await)
    }))
    .await
}
