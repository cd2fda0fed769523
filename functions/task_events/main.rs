//! Function `task_events`: what agents said about their attempts, and the ends of AWS Batch jobs.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use orchestrator_functions::start::Function;
use orchestrator_functions::telemetry::{Invocation, Trigger};
use orchestrator_functions::{deliveries, job_changes, log};
use serde_json::{Value, from_value, to_value};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let function = &Function::start("task_events").await?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let handle = async |invocation: &Invocation| handle(function, event.payload, invocation).await;
        function
            .invocation(Trigger::PubSub, &event.context, None, handle)
            .await
    }))
    .await
}

async fn handle(function: &Function, event: Value, invocation: &Invocation) -> Result<Value, Error> {
    if event.get("detail-type").and_then(Value::as_str) == Some(job_changes::DETAIL_TYPE) {
        job_changes::handle(function, from_value(event)?).await?;
        return Ok(Value::Null);
    }
    let queue = &function.config.task_events_queue;
    let response = deliveries::handle(function, queue, from_value(event)?, invocation.context()).await;
    Ok(to_value(response)?)
}
