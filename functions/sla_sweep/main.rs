//! Function `sla_sweep`: looks at the runs that are due, and at leases that are left over.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use orchestrator_functions::sweep::{self, Cause};
use orchestrator_functions::{log, start::Function};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let function = &Function::start().await?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let remaining = sweep::remaining(event.context.deadline);
        let swept = sweep::handle(function, Cause::of(&event.payload), remaining);
        Ok::<_, Error>(function.invocation(&event.context, swept).await?)
    }))
    .await
}
