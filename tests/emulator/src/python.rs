//! Environments of pinned Python packages in the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::place;

/// A set of packages and where it goes.
pub struct Environment {
    /// The folder below `target/python`.
    pub name: &'static str,
    /// The file with the exact versions, relative to the root.
    pub requirements: &'static str,
    /// The command that installs it, for the message when it is absent.
    pub remedy: &'static str,
}

impl Environment {
    /// The environment's Python.
    ///
    /// # Errors
    /// When the environment is absent or has other versions than the file says; the message names the remedy.
    pub fn python(&self) -> Result<PathBuf, String> {
        let folder = self.folder()?;
        if self.is_current(&folder)? {
            Ok(python_in(&folder))
        } else {
            Err(format!(
                "the Python packages of {} are not installed in '{}' (run `{}`)",
                self.requirements,
                folder.display(),
                self.remedy
            ))
        }
    }

    /// Makes the environment, unless it is there with these versions; then this costs reading two files.
    ///
    /// # Errors
    /// When Python 3 or a package cannot be had; with what the failed command printed.
    pub fn install(&self) -> Result<PathBuf, String> {
        let folder = self.folder()?;
        if !self.is_current(&folder)? {
            let _ = fs::remove_file(stamp(&folder));
            run(Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&folder))?;
            let install = [
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
                self.requirements,
            ];
            run(Command::new(python_in(&folder)).args(install))?;
            // Last: an environment without its stamp was not finished.
            let wanted = self.wanted()?;
            fs::write(stamp(&folder), wanted).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        Ok(python_in(&folder))
    }

    fn folder(&self) -> Result<PathBuf, String> {
        Ok(place::target()?.join("python").join(self.name))
    }

    fn wanted(&self) -> Result<String, String> {
        fs::read_to_string(place::root().join(self.requirements))
            .map_err(|error| format!("{}: {error}", self.requirements))
    }

    fn is_current(&self, folder: &Path) -> Result<bool, String> {
        let wanted = self.wanted()?;
        let found = fs::read_to_string(stamp(folder)).unwrap_or_default();
        Ok(found == wanted && python_in(folder).exists())
    }
}

fn python_in(folder: &Path) -> PathBuf {
    folder.join("bin").join("python")
}

/// A copy of the requirements that were installed.
fn stamp(folder: &Path) -> PathBuf {
    folder.join("installed.txt")
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command
        .current_dir(place::root())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("'{name}' did not start: {error} (install Python 3.11 or newer)"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!(
        "'{name}' failed: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    ))
}
