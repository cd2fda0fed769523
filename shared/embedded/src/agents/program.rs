//! The program of a command agent, found once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
