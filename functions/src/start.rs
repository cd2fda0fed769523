//! What every function makes once, before its first invocation.

use std::future::Future;
use std::sync::Arc;

use lambda_runtime::Context;
use orchestrator_aws::clients::{Clients, sdk_config};
use orchestrator_aws::env::Config;
use orchestrator_aws::host::{AwsHost, load_settings};
use orchestrator_aws::meter::Meter;
use orchestrator_engine::api::Intake;
use orchestrator_engine::engine::Engine;
use tracing::Instrument;

use crate::metrics::Metrics;

/// Why a function cannot start; Lambda shows it and tries again with a new process.
pub type StartError = lambda_runtime::Error;

/// A function that has started.
#[derive(Debug, Clone)]
pub struct Function {
    /// The engine, with everything behind it.
    pub engine: Arc<Engine<AwsHost>>,
    /// What the environment says.
    pub config: Arc<Config>,
    /// What is let in over the API.
    pub intake: Intake,
    /// How often runs that are due are looked for, milliseconds.
    pub check_interval_ms: u64,
    /// What CloudWatch is told.
    pub metrics: Metrics,
}

impl Function {
    /// Reads the environment and the configuration, and makes the clients.
    ///
    /// # Errors
    /// When a variable is missing or makes no sense, or the configuration cannot be read.
    pub async fn start() -> Result<Function, StartError> {
        Function::try_start()
            .await
            .inspect_err(|error| tracing::error!(%error, "the function cannot start"))
    }

    async fn try_start() -> Result<Function, StartError> {
        let config = Config::from_env()?;
        let clients = Clients::new(sdk_config().await, Meter::default());
        let settings = load_settings(&config, &clients).await?;
        let check_interval_ms = settings.sla.check_interval_ms;
        let intake = Intake {
            // Agents are where their queues are: one without a queue fails its task with a report that says so.
            agents: None,
            ..settings.api_intake()
        };
        let host = AwsHost::new(&config, &settings, clients);
        let engine = host
            .into_engine(&config, settings, config.decides_in_turn)
            .await?;
        Ok(Function {
            engine: Arc::new(engine),
            config: Arc::new(config),
            intake,
            check_interval_ms,
            metrics: Metrics::from_env(),
        })
    }

    /// Does the work of one invocation; every line it logs names the invocation. What has been paid for since the process
    /// started is logged at level debug.
    pub async fn invocation<T>(&self, context: &Context, work: impl Future<Output = T>) -> T {
        let span = tracing::info_span!("invocation", request_id = %context.request_id);
        let done = work.instrument(span).await;
        let counts = self.engine.ports().clients.meter.counts();
        tracing::debug!(target: "meter", ?counts, "paid for so far");
        done
    }
}
