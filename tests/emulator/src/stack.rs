//! The whole stack on a running emulator.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Emulator, PACKAGES, place};

/// A stack to deploy.
#[derive(Debug, Clone, Copy)]
pub struct Stack<'a> {
    /// Its name: resources are named after it.
    pub name: &'a str,
    /// The account, 12 digits: see [`Emulator::new_account`].
    pub account: &'a str,
    /// A folder with the functions: `intake` or `intake.zip`, and so on.
    pub functions: &'a Path,
    /// Parameters of `infra/template.yaml` besides those that every emulator needs.
    pub parameters: &'a [(&'a str, &'a str)],
}

impl Emulator {
    /// Deploys `infra/template.yaml` and returns its outputs, a JSON object of texts such as `ApiId` and `TableName`.
    ///
    /// # Errors
    /// When a function is missing or CloudFormation refuses something; with what it said.
    pub fn deploy(&self, stack: Stack<'_>) -> Result<String, String> {
        let mut command = Command::new(PACKAGES.python()?);
        command
            .arg("infra/localstack/deploy.py")
            .args(["--endpoint", self.endpoint(), "--stack", stack.name])
            .args(["--account", stack.account, "--functions"])
            .arg(stack.functions)
            .args(
                stack
                    .parameters
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            )
            .current_dir(place::root())
            .stdin(Stdio::null());
        let done = command
            .output()
            .map_err(|error| format!("deploy.py did not start: {error}"))?;
        if done.status.success() {
            Ok(String::from_utf8_lossy(&done.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&done.stderr).into_owned())
        }
    }
}
