//! The configuration: which file, what it says, and what is made of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator_core::guard::RateLimits;
use orchestrator_core::workflow::{Limits, Workflow, parse};
use orchestrator_embedded::translation::AnyTranslator;
use orchestrator_embedded::translation::openai::OpenAi;
use orchestrator_embedded::{StartOptions, SystemClock, Webhook};
use orchestrator_engine::api::Intake;
use orchestrator_engine::api::access::LOCAL_CLIENT;
use orchestrator_engine::api::agents::{unknown_agents, unknown_work};
use orchestrator_engine::api::problem::{Fault, Problem};
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::settings::{self, Budget, CONFIG_FILE_NAME, SecretSource, Settings, TranslatorKind};
use orchestrator_engine::sla::AlertKeySecret;
use orchestrator_engine::views::plan::Planned;
use orchestrator_engine::views::{AgentList, PlanView};
use serde_json::{Map, Value};

use crate::args::Global;
use crate::commands::Submission;
use crate::exit::{Exit, Failure};
use crate::telemetry;

/// A configuration and where it was found.
#[derive(Debug)]
pub struct Config {
    /// What it says.
    pub settings: Settings,
    /// Working directory of agents: where the file is.
    pub base_dir: PathBuf,
}

/// What a host is started with.
#[derive(Debug)]
pub struct Prepared {
    /// For the orchestrator.
    pub options: StartOptions,
    /// For requests over the API.
    pub intake: Intake,
    /// For requests of this process.
    pub own_intake: Intake,
    /// Requests per client.
    pub rate_limits: RateLimits,
    /// Who translates.
    pub translator: AnyTranslator,
    /// What clients may use up of models.
    pub budget: Budget,
}

impl Config {
    /// The file that was named; else `orchestrator.yaml` beside the workflow file or in the current directory; else defaults.
    pub fn load(global: &Global, workflow_file: Option<&Path>) -> Result<Config, Failure> {
        let beside = workflow_file
            .and_then(Path::parent)
            .map(|directory| directory.join(CONFIG_FILE_NAME));
        let here = PathBuf::from(CONFIG_FILE_NAME);
        let found = beside.into_iter().chain([here]).find(|path| path.is_file());
        let Some(path) = global.config.clone().or(found) else {
            return Ok(Config {
                settings: Settings::without_file(),
                base_dir: PathBuf::from("."),
            });
        };
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::file(&path, &error))?;
        let file = path.display().to_string();
        let settings = settings::load(&text).map_err(|problems| {
            let details = problems
                .iter()
                .map(|problem| problem.in_file(&file).to_string())
                .collect();
            Failure::usage(format!("the configuration in '{file}' cannot be used")).with_details(details)
        })?;
        let base_dir = match path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Config { settings, base_dir })
    }

    /// Bounds on workflow files.
    pub fn file_limits(&self) -> Limits {
        self.settings.local_limits()
    }

    /// Names of the agents.
    pub fn agent_names(&self) -> BTreeSet<String> {
        self.settings.agents.keys().cloned().collect()
    }

    /// The agents and what they say about themselves.
    pub fn agents(&self) -> AgentList {
        AgentList::of(
            Some(&self.agent_names()),
            &self.settings.catalogue(),
            &self.settings.policy,
        )
    }

    /// What a workflow asks for that is not there: agents, actions, parameters.
    pub fn unknown(&self, workflow: &Workflow, text: &[u8]) -> Vec<Fault> {
        let limits = self.file_limits();
        let mut faults = unknown_agents(workflow, &self.agent_names(), text, &limits);
        faults.extend(unknown_work(workflow, &self.settings.catalogue(), text, &limits));
        faults
    }

    /// What a run would do; with `steps`, how each decision comes about.
    pub fn plan(&self, submission: &Submission, steps: bool) -> Result<PlanView, Failure> {
        let refuse = |faults: Vec<Fault>| submission.locate(Problem::dsl(faults).into());
        let limits = self.file_limits();
        let text = submission.text.as_bytes();
        let workflow = parse(text, &limits)
            .workflow
            .map_err(|problems| refuse(problems.iter().map(Fault::of).collect()))?;
        let unknown = self.unknown(&workflow, text);
        if !unknown.is_empty() {
            return Err(refuse(unknown));
        }
        let given = object(submission.body.inputs.as_ref());
        let inputs = workflow
            .bind_inputs(&given)
            .map_err(|problems| refuse(problems.iter().map(Fault::of).collect()))?;
        let client = submission
            .body
            .client_id
            .as_deref()
            .or(workflow.client_id.as_deref());
        let planned = Planned {
            workflow: &workflow,
            client_id: client.unwrap_or(LOCAL_CLIENT),
            inputs: &inputs,
            metadata: &Value::Object(object(submission.body.metadata.as_ref())),
            now: SystemClock.now(),
        };
        Ok(PlanView::of(&self.settings.policy, planned, steps))
    }

    /// What an orchestrator on this data directory is started with.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn prepare(self, data_dir: &Path) -> Result<Prepared, Failure> {
        let Config { settings, base_dir } = self;
        if settings.cache.redis_url.is_some() {
            tracing::warn!(
                "master_orchestrator.cache.redis_url is for the functions; here results are kept in the data directory"
            );
        }
        let webhook = webhook(settings.sla.webhook.as_ref(), &base_dir)?;
        let translator = translator(&settings.translation.translator, &base_dir)?;
        let budget = settings.translation.budget;
        let intake = settings.api_intake();
        let own_intake = Intake {
            limits: settings.local_limits(),
            ..intake.clone()
        };
        let (runs_per_client, ageing_ms, rate_limits) =
            (settings.intake.runs_max, settings.ageing_ms, settings.intake.rate);
        let options = StartOptions {
            export: telemetry::export(&settings.telemetry),
            base_dir,
            agents: settings.agents,
            limits: settings.attempts,
            runs_per_client,
            ageing_ms,
            sla: settings.sla.defaults,
            webhook,
            results_kept_ms: settings.cache.task_ttl_ms,
            ..StartOptions::new(data_dir, Arc::new(settings.policy))
        };
        Ok(Prepared {
            options,
            intake,
            own_intake,
            rate_limits,
            translator,
            budget,
        })
    }
}

/// Where alerts are sent, with the key that signs them.
fn webhook(webhook: Option<&settings::Webhook>, base_dir: &Path) -> Result<Option<Webhook>, Failure> {
    let Some(settings::Webhook { url, secret }) = webhook else {
        return Ok(None);
    };
    let keys = ("sla.webhook.secret_env", "sla.webhook.secret_file");
    let secret = secret
        .as_ref()
        .map(|source| self::secret("the key that signs alerts", source, base_dir, keys));
    Ok(Some(Webhook {
        url: url.clone(),
        secret: secret.transpose()?.map(AlertKeySecret::new),
    }))
}

/// Who translates, with the key of the endpoint.
fn translator(kind: &TranslatorKind, base_dir: &Path) -> Result<AnyTranslator, Failure> {
    let openai = match kind {
        TranslatorKind::Offline => return Ok(AnyTranslator::Offline),
        TranslatorKind::OpenAi(openai) => openai,
        TranslatorKind::Bedrock(_) => {
            return Err(Failure::usage(
                "translation.translator: 'bedrock' works on AWS only, where a function of its own calls the model (use \
                 'offline', or 'openai' with an endpoint that speaks chat completions)",
            ));
        }
    };
    let keys = (
        "translation.openai.api_key_env",
        "translation.openai.api_key_file",
    );
    let key = openai
        .key
        .as_ref()
        .map(|source| secret("the key of the translator", source, base_dir, keys));
    Ok(AnyTranslator::OpenAi(Box::new(OpenAi::new(
        (**openai).clone(),
        key.transpose()?,
    ))))
}

/// Reads a secret from where the configuration says it is; `keys` are the two keys that say so.
#[expect(clippy::disallowed_methods, reason = "the configuration names the variable")]
fn secret(what: &str, source: &SecretSource, base_dir: &Path, keys: (&str, &str)) -> Result<String, Failure> {
    let secret = match source {
        SecretSource::Variable(name) => std::env::var(name).map_err(|_| {
            let message = format!("{what} is not in the environment: '{name}' is not set");
            Failure::usage(format!("{message} (set it, or leave out '{}')", keys.0))
        })?,
        SecretSource::File(path) => {
            let path = base_dir.join(path);
            let text = std::fs::read_to_string(&path).map_err(|error| {
                let path = path.display();
                Failure::usage(format!(
                    "{what} cannot be read from '{path}': {error} (see '{}')",
                    keys.1
                ))
            })?;
            text.trim_end().to_owned()
        }
    };
    match secret.is_empty() {
        true => Err(Failure::usage(format!(
            "{what} is empty (give one, or leave it out)"
        ))),
        false => Ok(secret),
    }
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

/// What a start of the host that fails means for the command line.
pub fn start_failure(error: &orchestrator_embedded::StartError) -> Failure {
    let exit = match error {
        orchestrator_embedded::StartError::DataDir(orchestrator_embedded::DataDirError::InUse { .. }) => {
            Exit::Refused
        }
        _ => Exit::Unavailable,
    };
    Failure::new(exit, error.to_string())
}
