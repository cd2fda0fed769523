//! The configuration: which file, what it says, and what is made of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator_core::guard::RateLimits;
use orchestrator_core::workflow::{Limits, parse};
use orchestrator_embedded::{StartOptions, SystemClock};
use orchestrator_engine::api::Intake;
use orchestrator_engine::api::access::LOCAL_CLIENT;
use orchestrator_engine::api::problem::{Fault, Problem};
use orchestrator_engine::api::workflows::unknown_agents;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::settings::{self, CONFIG_FILE_NAME, Settings};
use orchestrator_engine::views::PlanView;
use orchestrator_engine::views::plan::Planned;
use serde_json::{Map, Value};

use crate::args::Global;
use crate::commands::Submission;
use crate::exit::{Exit, Failure};

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

    /// What a run would do; with `steps`, how each decision comes about.
    pub fn plan(&self, submission: &Submission, steps: bool) -> Result<PlanView, Failure> {
        let refuse = |faults: Vec<Fault>| submission.locate(Problem::dsl(faults).into());
        let limits = self.file_limits();
        let text = submission.text.as_bytes();
        let workflow = parse(text, &limits)
            .workflow
            .map_err(|problems| refuse(problems.iter().map(Fault::of).collect()))?;
        let unknown = unknown_agents(&workflow, &self.agent_names(), text, &limits);
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
    pub fn prepare(self, data_dir: &Path) -> Prepared {
        let Config { settings, base_dir } = self;
        let intake = settings.api_intake();
        let own_intake = Intake {
            limits: settings.local_limits(),
            ..intake.clone()
        };
        let (runs_per_client, ageing_ms, rate_limits) =
            (settings.intake.runs_max, settings.ageing_ms, settings.intake.rate);
        let options = StartOptions {
            base_dir,
            agents: settings.agents,
            limits: settings.attempts,
            runs_per_client,
            ageing_ms,
            ..StartOptions::new(data_dir, Arc::new(settings.policy))
        };
        Prepared {
            options,
            intake,
            own_intake,
            rate_limits,
        }
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
