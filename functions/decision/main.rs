//! Function `decision`: asks the policy about tasks that want to run, takes their slots, hands them to agents.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use orchestrator_functions::telemetry::{Invocation, Trigger};
use orchestrator_functions::{deliveries, log, start::Function};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let function = &Function::start("decision").await?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let queue = &function.config.decisions_queue;
        let handle = async |invocation: &Invocation| {
            deliveries::handle(function, queue, event.payload, invocation.context()).await
        };
        Ok::<_, Error>(
            function
                .invocation(Trigger::PubSub, &event.context, None, handle)
                .await,
        )
    }))
    .await
}
