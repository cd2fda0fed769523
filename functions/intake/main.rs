//! Function `intake`: requests of the HTTP API.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use orchestrator_functions::api::Api;
use orchestrator_functions::telemetry::{Invocation, Trigger};
use orchestrator_functions::{gateway::GatewayRequest, log, start::Function};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let function = &Function::start("intake").await?;
    let api = &Api::new(function).with_console();
    lambda_runtime::run(service_fn(async |event: LambdaEvent<GatewayRequest>| {
        let caller = function.telemetry.caller(&event.payload);
        let answer = async |invocation: &Invocation| api.answer(event.payload, invocation.context()).await;
        Ok::<_, Error>(
            function
                .invocation(Trigger::Http, &event.context, caller, answer)
                .await,
        )
    }))
    .await
}
