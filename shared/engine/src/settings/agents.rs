//! The agents of a configuration.

use std::collections::BTreeMap;

use orchestrator_translate::catalogue::{Action, Agent as Entry, Shipped};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw::AgentConfig;
use crate::env_vars;

/// One agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// How it works.
    pub kind: AgentKind,
    /// Tasks it does at a time, over all runs; `None` leaves that to the pools.
    pub concurrency: Option<u32>,
    /// Environment variables added for its command.
    pub env: BTreeMap<String, String>,
    /// Longest run time of one attempt, for tasks that do not say otherwise.
    pub timeout_ms: Option<u64>,
    /// What it says about itself; `None`: nothing.
    pub entry: Option<Entry>,
    /// Changed by its author whenever kept results will not do any more.
    pub version: Option<String>,
}

impl Agent {
    /// An agent about which nothing else is said.
    pub fn new(kind: AgentKind) -> Agent {
        Agent {
            kind,
            concurrency: None,
            env: BTreeMap::new(),
            timeout_ms: None,
            entry: None,
            version: None,
        }
    }
}

/// How an agent works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentKind {
    /// Program and arguments, not empty; started once per attempt, never through a shell.
    Command(Vec<String>),
    /// The URL of a service; the envelope is sent with POST.
    Http(String),
    /// Done by the orchestrator itself.
    Builtin(Builtin),
}

/// Agents for trying things out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Builtin {
    /// Succeeds at once; its output is `params.output`.
    Noop,
    /// Succeeds after `params.seconds`.
    Sleep,
    /// Fails with `params.class` and `params.message`, the first `params.times` attempts only if that is given.
    Fail,
}

impl Builtin {
    /// All of them. Each is there under its name unless the configuration gives that name to another agent.
    pub const ALL: [Builtin; 3] = [Builtin::Noop, Builtin::Sleep, Builtin::Fail];

    /// The name in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Builtin::Noop => "noop",
            Builtin::Sleep => "sleep",
            Builtin::Fail => "fail",
        }
    }
}

/// Checks the agents and adds the built-in ones. Problems are pairs of a key and a message.
pub(super) fn check(
    agents: BTreeMap<String, AgentConfig>,
) -> Result<BTreeMap<String, Agent>, Vec<(String, String)>> {
    let built_in = Builtin::ALL.into_iter().map(|builtin| {
        let agent = Agent::new(AgentKind::Builtin(builtin));
        (builtin.as_str().to_owned(), agent)
    });
    let mut checked: BTreeMap<String, Agent> = built_in.collect();
    let mut problems = Vec::new();
    for (name, config) in agents {
        match check_one(&name, config) {
            Ok(agent) => {
                checked.insert(name, agent);
            }
            Err((key, message)) => problems.push((key, message)),
        }
    }
    if problems.is_empty() {
        Ok(checked)
    } else {
        Err(problems)
    }
}

fn check_one(name: &str, config: AgentConfig) -> Result<Agent, (String, String)> {
    let key = |key: &str| format!("agents.{name}.{key}");
    let AgentConfig {
        command,
        http,
        builtin,
        concurrency,
        env,
        timeout,
        description,
        catalogue,
        actions,
        version,
    } = config;
    let kind = match (command, http, builtin) {
        (Some(command), None, None) => {
            AgentKind::Command(check_command(command).map_err(|m| (key("command"), m))?)
        }
        (None, Some(url), None) => AgentKind::Http(check_url(url, &["http"]).map_err(|m| (key("http"), m))?),
        (None, None, Some(builtin)) => AgentKind::Builtin(builtin),
        (None, None, None) => {
            let message =
                format!("agent '{name}' has nothing to do its work (give it command, http or builtin)");
            return Err((format!("agents.{name}"), message));
        }
        _ => {
            let message = format!("agent '{name}' has more than one of command, http and builtin (keep one)");
            return Err((format!("agents.{name}"), message));
        }
    };
    if concurrency == Some(0) {
        return Err((
            key("concurrency"),
            "'0' would never let it work (use 1 or more, or leave it out)".to_owned(),
        ));
    }
    if !env.is_empty() && !matches!(kind, AgentKind::Command(_)) {
        return Err((
            key("env"),
            "only an agent with a command has an environment".to_owned(),
        ));
    }
    if version.as_deref().is_some_and(str::is_empty) {
        return Err((
            key("version"),
            "the version is empty (name one, or leave it out)".to_owned(),
        ));
    }
    for (variable, value) in &env {
        check_variable(variable, value).map_err(|message| (key(&format!("env.{variable}")), message))?;
    }
    Ok(Agent {
        kind,
        concurrency,
        env,
        timeout_ms: timeout.map(|timeout| timeout.millis),
        entry: entry(name, description, catalogue, actions)?,
        version,
    })
}

/// What an agent says about itself.
fn entry(
    name: &str,
    description: Option<String>,
    catalogue: Option<Shipped>,
    own: BTreeMap<String, Action>,
) -> Result<Option<Entry>, (String, String)> {
    let place = |path: &str| format!("agents.{name}.{path}");
    let shipped = match catalogue {
        None => None,
        Some(catalogue) => {
            let agents = catalogue.catalogue().agents();
            let known: Vec<&str> = agents.keys().map(String::as_str).collect();
            let missing = || {
                let message = format!(
                    "the catalogue has no agent '{name}' (it has {})",
                    known.join(", ")
                );
                (place("catalogue"), message)
            };
            Some(agents.get(name).ok_or_else(missing)?)
        }
    };
    if shipped.is_none() && description.is_none() && own.is_empty() {
        return Ok(None);
    }
    let mut actions = BTreeMap::new();
    for (action, entry) in own {
        let base = shipped.and_then(|agent| agent.actions.get(&action));
        let entry = base.map_or_else(|| entry.clone(), |base| entry.clone().on_top_of(base));
        if let Some(fault) = entry.faults().into_iter().next() {
            let dot = if fault.path.is_empty() { "" } else { "." };
            return Err((
                place(&format!("actions.{action}{dot}{}", fault.path)),
                fault.message,
            ));
        }
        actions.insert(action, entry);
    }
    if actions.is_empty()
        && let Some(shipped) = shipped
    {
        actions = shipped.actions.clone();
    }
    let description = description.or_else(|| shipped.map(|shipped| shipped.description.clone()));
    Ok(Some(Entry {
        description: description.unwrap_or_default(),
        actions,
    }))
}

fn check_command(command: Vec<String>) -> Result<Vec<String>, String> {
    match command.first().map(String::as_str) {
        None | Some("") => {
            Err("the command is empty (name a program and its arguments as a list)".to_owned())
        }
        Some(_) if command.iter().any(|part| part.contains('\0')) => {
            Err("the command has a zero byte, which no program can be given".to_owned())
        }
        Some(_) => Ok(command),
    }
}

/// Checks that a URL has a host and one of these schemes, with or without `s`.
pub(super) fn check_url(url: String, schemes: &[&str]) -> Result<String, String> {
    let parsed: Option<http::Uri> = url.parse().ok();
    let fits = parsed.as_ref().is_some_and(|uri| {
        let scheme = uri.scheme_str().unwrap_or_default();
        let known = schemes
            .iter()
            .any(|known| scheme == *known || scheme.strip_suffix('s') == Some(known));
        known && uri.host().is_some_and(|host| !host.is_empty())
    });
    if fits {
        return Ok(url);
    }
    Err(format!(
        "'{url}' is not a usable URL (write it as in '{}://localhost')",
        schemes[0]
    ))
}

fn check_variable(variable: &str, value: &str) -> Result<(), String> {
    if env_vars::OF_AGENTS.contains(&variable) {
        return Err(format!(
            "'{variable}' is set by the orchestrator (choose another name)"
        ));
    }
    let starts = variable.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if !starts
        || !variable
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Err(format!(
            "'{variable}' is not the name of a variable (use letters, digits and '_')"
        ));
    }
    if value.contains('\0') {
        return Err(format!(
            "the value of '{variable}' has a zero byte, which no program can be given"
        ));
    }
    Ok(())
}
