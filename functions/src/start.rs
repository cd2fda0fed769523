//! What every function makes once, before its first invocation.

use std::sync::Arc;

use lambda_runtime::Context;
use orchestrator_aws::clients::{Clients, sdk_config};
use orchestrator_aws::clock::SystemClock;
use orchestrator_aws::env::{Config, TRANSLATIONS_QUEUE};
use orchestrator_aws::host::{AwsHost, load_settings};
use orchestrator_aws::meter::Meter;
use orchestrator_engine::api::Intake;
use orchestrator_engine::engine::Engine;
use orchestrator_engine::metrics::Snapshot;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::settings::{Translation, TranslatorKind};
use orchestrator_engine::trace;
use tracing::Instrument;

use crate::metrics::Metrics;
use crate::telemetry::{Invocation, Telemetry, Trigger};

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
    /// Who translates texts, and what that may cost.
    pub translation: Translation,
    /// How often runs that are due are looked for, milliseconds.
    pub check_interval_ms: u64,
    /// Who watches.
    pub telemetry: Telemetry,
    /// What CloudWatch is told.
    pub metrics: Metrics,
}

impl Function {
    /// Reads the environment and the configuration, and makes the clients of the function with this name.
    ///
    /// # Errors
    /// When a variable is missing or makes no sense, or the configuration cannot be read.
    pub async fn start(name: &str) -> Result<Function, StartError> {
        Function::try_start(name)
            .await
            .inspect_err(|error| tracing::error!(%error, "the function cannot start"))
    }

    async fn try_start(name: &str) -> Result<Function, StartError> {
        let config = Config::from_env()?;
        let clients = Clients::new(sdk_config().await, Meter::default());
        let settings = load_settings(&config, &clients).await?;
        let translation = settings.translation.clone();
        translates(&translation, &config)?;
        let check_interval_ms = settings.sla.check_interval_ms;
        let intake = Intake {
            // Agents are where their queues are: one without a queue fails its task with a report that says so.
            agents: None,
            ..settings.api_intake()
        };
        let telemetry = Telemetry::start(&settings.telemetry, name);
        let host = AwsHost::new(&config, &settings, clients);
        host.propagate(telemetry.engine.tracer.as_deref());
        let engine = host
            .into_engine(&config, settings, config.decides_in_turn)
            .await?
            .watched_by(telemetry.engine.clone());
        Ok(Function {
            engine: Arc::new(engine),
            telemetry,
            config: Arc::new(config),
            intake,
            translation,
            check_interval_ms,
            metrics: Metrics::from_env(),
        })
    }

    /// Does the work of one invocation; every line it logs names the invocation. What has been paid for since the process
    /// started is logged at level debug. Spans and metrics are sent before the invocation is answered.
    pub async fn invocation<T>(
        &self,
        trigger: Trigger,
        context: &Context,
        caller: Option<trace::Context>,
        work: impl AsyncFnOnce(&Invocation) -> T,
    ) -> T {
        let invocation = self.telemetry.begin(context, caller);
        let trace_id = invocation.context().map(|context| context.trace.to_string());
        let span = tracing::info_span!("invocation", request_id = %context.request_id, trace_id);
        let done = work(&invocation).instrument(span).await;
        let counts = self.engine.ports().clients.meter.counts();
        tracing::debug!(target: "meter", ?counts, "paid for so far");
        let counted = self.engine.telemetry().metrics.drain();
        self.metrics
            .counted(&self.telemetry.function, &Snapshot::of(&counted));
        let figures = &self.engine.ports().figures;
        figures.count(counted.flatten());
        figures.flush(SystemClock.now()).await;
        self.telemetry.end(invocation, trigger, context).await;
        done
    }
}

/// Whether what the configuration says about translating can be done here.
fn translates(settings: &Translation, config: &Config) -> Result<(), StartError> {
    match settings.translator {
        TranslatorKind::OpenAi(_) => Err(
            "translation.translator: 'openai' works on the embedded host only (use 'bedrock', or 'offline')".into(),
        ),
        TranslatorKind::Bedrock(_) if config.translations_queue.is_none() => Err(format!(
            "environment variable {TRANSLATIONS_QUEUE}: it is not set, and translation.translator 'bedrock' needs it \
             (infra/template.yaml sets it)"
        )
        .into()),
        TranslatorKind::Bedrock(_) | TranslatorKind::Offline => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_aws::env::{DECISIONS_QUEUE, TABLE, TASK_EVENTS_QUEUE};
    use orchestrator_engine::settings;

    use super::*;

    #[test]
    fn a_translator_that_cannot_work_here_is_refused_with_the_remedy() {
        let start = |translation: &str, queue: Option<&str>| {
            let text = format!("master_orchestrator: {{translation: {translation}}}");
            let settings = settings::load(&text).expect("a configuration").translation;
            let config = Config::from(|name| match name {
                TABLE | DECISIONS_QUEUE | TASK_EVENTS_QUEUE => Some("x".to_owned()),
                TRANSLATIONS_QUEUE => queue.map(str::to_owned),
                _ => None,
            });
            translates(&settings, &config.expect("an environment")).map_err(|error| error.to_string())
        };
        assert_eq!(start("{}", None), Ok(()));
        let bedrock = "{translator: bedrock, bedrock: {model: m}}";
        assert_eq!(start(bedrock, Some("https://t")), Ok(()));
        let error = start(bedrock, None).expect_err("nowhere to send texts");
        assert!(
            error.contains(TRANSLATIONS_QUEUE) && error.contains("infra/template.yaml"),
            "{error}"
        );
        let openai = "{translator: openai, openai: {endpoint: 'http://h/v1', model: m}}";
        let error = start(openai, Some("https://t")).expect_err("no client for it");
        assert!(
            error.contains("'openai'") && error.contains("'bedrock'"),
            "{error}"
        );
    }
}
