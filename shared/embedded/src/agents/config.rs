//! What the configuration says about agents.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentConfig {
    /// How it works.
    pub kind: AgentKind,
    /// Environment variables added for commands.
    pub env: BTreeMap<String, String>,
}

/// How an agent works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentKind {
    /// A program, started once per attempt. Never a shell: program and arguments as they are.
    Command(Vec<String>),
    /// A service: the envelope is sent with POST.
    Http(String),
    /// Done by the orchestrator itself.
    Builtin(Builtin),
}

/// Agents for trying things out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// Succeeds at once; its output is `params.output`.
    Noop,
    /// Succeeds after `params.seconds`.
    Sleep,
    /// Fails with `params.class` and `params.message`, the first `params.times` attempts only if that is given.
    Fail,
}

impl Builtin {
    /// All of them. Each is available under its name unless an agent of that name is configured.
    pub const ALL: [Builtin; 3] = [Builtin::Noop, Builtin::Sleep, Builtin::Fail];

    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Builtin::Noop => "noop",
            Builtin::Sleep => "sleep",
            Builtin::Fail => "fail",
        }
    }
}

/// Bounds on what one attempt may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentLimits {
    /// Largest log; the middle of a longer one is left out.
    pub log_bytes: u64,
    /// Largest output.
    pub output_bytes: u64,
    /// How long an attempt that was told to stop may take before it is killed.
    pub grace: Duration,
    /// Attempts worked on at a time by commands and HTTP agents; further ones wait for a thread.
    pub threads: usize,
}

impl Default for AgentLimits {
    fn default() -> AgentLimits {
        AgentLimits {
            log_bytes: 10 << 20,
            output_bytes: 1 << 20,
            grace: Duration::from_secs(5),
            threads: 1_024,
        }
    }
}

/// A command, prepared once.
#[derive(Debug)]
pub(super) struct CommandAgent {
    pub name: String,
    /// As configured, for messages.
    pub written: String,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub env: BTreeMap<String, String>,
}

impl CommandAgent {
    /// `base` is where relative programs are looked for, `path` the PATH that other names are looked up in.
    pub(super) fn new(
        name: &str,
        argv: &[String],
        env: &BTreeMap<String, String>,
        base: &Path,
        path: Option<OsString>,
    ) -> CommandAgent {
        let written = argv.first().cloned().unwrap_or_default();
        let path = env.get("PATH").map(OsString::from).or(path);
        CommandAgent {
            name: name.to_owned(),
            program: locate(&written, base, path),
            written,
            arguments: argv.iter().skip(1).cloned().collect(),
            env: env.clone(),
        }
    }
}

/// The file to start. Looked up once instead of with every attempt; what is not found is left to fail at its start.
fn locate(program: &str, base: &Path, path: Option<OsString>) -> PathBuf {
    if program.contains('/') {
        return base.join(program);
    }
    let directories = path.unwrap_or_default();
    std::env::split_paths(&directories)
        .map(|directory| base.join(directory).join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| PathBuf::from(program))
}
