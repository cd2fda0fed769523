//! The `orchestrator` program, built from the sources as they are.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::repository::root;

/// Names the program to test instead of one that is built first; `cargo xtask test` sets it.
pub const BINARY: &str = "ORCHESTRATOR_TEST_BINARY";

/// The path of the program.
///
/// # Panics
/// When it does not build.
pub fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| std::env::var_os(BINARY).map_or_else(build, PathBuf::from))
        .clone()
}

/// A command of the program, started in the root of the repository, unimpressed by the settings of whoever runs the tests.
pub fn orchestrator() -> Command {
    let mut command = Command::new(path());
    command.current_dir(root()).stdin(Stdio::null());
    for variable in orchestrator_engine::env_vars::READ {
        command.env_remove(variable);
    }
    command
}

/// Builds it into the folder this test was built into, where most of it is ready.
fn build() -> PathBuf {
    let this = std::env::current_exe().expect("a running program has a path");
    let profile = this
        .ancestors()
        .nth(2)
        .expect("tests are built into PROFILE/deps");
    let target = profile
        .parent()
        .expect("profiles are folders of the target folder");
    let mut cargo = Command::new("cargo");
    cargo
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            "orchestrator",
            "--target-dir",
        ])
        .arg(target);
    if profile.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(root()).status().expect("cargo starts");
    assert!(built.success(), "the program does not build");
    profile.join("orchestrator")
}
