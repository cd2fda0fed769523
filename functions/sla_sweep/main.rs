//! Function `sla_sweep`: looks at the runs that are due, and at leases that are left over.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use orchestrator_functions::sweep::{self, Cause};
use orchestrator_functions::telemetry::{Invocation, Trigger};
use orchestrator_functions::{log, start::Function};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let function = &Function::start("sla_sweep").await?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let remaining = sweep::remaining(event.context.deadline);
        let cause = Cause::of(&event.payload);
        let sweep = async |_: &Invocation| sweep::handle(function, cause, remaining).await;
        Ok::<_, Error>(
            function
                .invocation(Trigger::Timer, &event.context, None, sweep)
                .await?,
        )
    }))
    .await
}
