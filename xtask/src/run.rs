//! Starting programs: quietly, with all they print kept for the case that they fail, or in the foreground.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a program left behind.
pub struct Outcome {
    pub success: bool,
    /// The exit status; none if the program was killed or did not start.
    pub status: Option<i32>,
    /// Standard output, then standard error.
    pub output: String,
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the repository")
}

/// The folder with the programs that the development profile builds: the one this program lies in.
pub fn built() -> PathBuf {
    let this = std::env::current_exe().expect("a running program has a path");
    this.parent().expect("a program lies in a folder").to_owned()
}

/// The folder of everything that is built.
pub fn target() -> PathBuf {
    built()
        .parent()
        .expect("profiles are folders of the target folder")
        .to_owned()
}

/// A program to be started in the root of the repository.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Cargo, building into the folder that this program was built into.
pub fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = program("cargo");
    // `cargo xtask` describes this package to us. Build scripts that look at that would run again, here and in the next plain `cargo`.
    let about_us = std::env::vars_os().map(|(name, _)| name);
    for name in about_us.filter(|name| is_about_a_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_TERM_COLOR", "never");
    command
}

fn is_about_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// Runs a program to its end and keeps what it prints.
pub fn quietly(command: &mut Command) -> Outcome {
    match command.output() {
        Ok(done) => {
            let mut output = String::from_utf8_lossy(&done.stdout).into_owned();
            output.push_str(&String::from_utf8_lossy(&done.stderr));
            Outcome {
                success: done.status.success(),
                status: done.status.code(),
                output,
            }
        }
        Err(error) => Outcome {
            success: false,
            status: None,
            output: format!(
                "'{}' did not start: {error}",
                command.get_program().to_string_lossy()
            ),
        },
    }
}

/// Runs a program to its end; what it prints goes where our own output goes.
pub fn in_foreground(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!(
                "error: '{}' did not start: {error}",
                command.get_program().to_string_lossy()
            );
            false
        }
    }
}

/// Whether a program can be started at all.
pub fn is_there(command: &mut Command) -> bool {
    quietly(command).success
}

/// Whether it worked; says so if not.
pub fn or_complain(result: Result<(), String>) -> bool {
    if let Err(problem) = &result {
        eprintln!("error: {problem}");
    }
    result.is_ok()
}
