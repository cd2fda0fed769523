//! The files of the attempt; those that the surroundings name are used as they are.

use std::path::PathBuf;

use orchestrator_engine::env_vars;

use super::Envelope;
use crate::exit::Failure;

/// Where the command finds and leaves what it works with. Removed with the attempt, but for what the surroundings name.
pub(super) struct Files {
    directory: PathBuf,
    pub output: PathBuf,
    pub envelope: PathBuf,
    pub run_dir: PathBuf,
    pub checkpoints: PathBuf,
    /// Whether the directory of checkpoints is removed with the attempt.
    pub drops_checkpoints: bool,
}

/// A path the surroundings name.
pub(super) fn path_of(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

impl Files {
    pub(super) fn make(envelope: &Envelope, text: &str) -> Result<Files, Failure> {
        let name = format!(
            "orchestrator-{}-{}-{}",
            envelope.run_id,
            envelope.epoch,
            std::process::id()
        );
        let directory = std::env::temp_dir().join(name);
        let checkpoints = path_of(env_vars::ORCHESTRATOR_CHECKPOINT_DIR);
        let files = Files {
            drops_checkpoints: checkpoints.is_none(),
            output: directory.join("output.json"),
            envelope: directory.join("envelope.json"),
            run_dir: path_of(env_vars::ORCHESTRATOR_RUN_DIR).unwrap_or_else(|| directory.join("run")),
            checkpoints: checkpoints.unwrap_or_else(|| directory.join("checkpoints")),
            directory,
        };
        let make = || -> std::io::Result<()> {
            std::fs::create_dir_all(&files.directory)?;
            std::fs::create_dir_all(&files.run_dir)?;
            std::fs::create_dir_all(&files.checkpoints)?;
            std::fs::write(&files.envelope, text)
        };
        make().map_err(|error| {
            Failure::unavailable(format!(
                "cannot write to '{}': {error} (is the disk full?)",
                files.directory.display()
            ))
        })?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // A directory under the system's temporary one; what cannot be removed is the system's to remove.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
