//! AWS on this machine for tests: starts what `infra/localstack` describes, or uses what `AWS_ENDPOINT_URL` names.
//!
//! It has no dependencies, so that `xtask` is there at once and every crate may use it in its tests.
//!
//! - [`Emulator`]: a running emulator, and accounts in it
//! - [`Stack`]: the stack of `infra/template.yaml` in one
//! - [`python`]: environments of Python packages in the target folder
//! - [`place`]: where the repository and the target folder are
//! - [`env_vars`]: what is read from the environment

pub mod env_vars;
pub mod place;
mod process;
pub mod python;
mod stack;
mod valkey;

pub use process::Emulator;
pub use stack::Stack;
pub use valkey::Valkey;

/// The environment of the emulator.
pub const PACKAGES: python::Environment = python::Environment {
    name: "emulator",
    requirements: "infra/localstack/requirements.txt",
    remedy: "cargo xtask emulator --install",
};
