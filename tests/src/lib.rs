//! What the end-to-end tests of the workspace share; the tests are in the `tests` folder of this package.
//!
//! - [`repository`]: where the repository is, and its files
//! - [`binary`]: the `orchestrator` program as users have it
//! - [`wfformat`]: recorded scientific workflows, converted into the DSL
//! - [`shapes`]: the shapes of such workflows, at any size

pub mod binary;
pub mod repository;
pub mod shapes;
pub mod wfformat;
