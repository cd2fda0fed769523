//! What the end-to-end tests of the workspace share; the tests are in the `tests` folder of this package.
//!
//! - [`repository`]: where the repository is, and its files
//! - [`answers`]: what people ask for, and what models say to it
//! - [`binary`]: the `orchestrator` program as users have it
//! - [`collector`]: a receiver of traces
//! - [`server`]: a running server
//! - [`http`]: talking to it
//! - [`requests`]: the same with any method, header and body
//! - [`model`]: a server of language models
//! - [`process`]: looking for the processes of agents
//! - [`wfformat`]: recorded scientific workflows, converted into the DSL
//! - [`shapes`]: the shapes of such workflows, at any size

pub mod answers;
pub mod binary;
pub mod collector;
pub mod http;
pub mod model;
pub mod process;
pub mod repository;
pub mod requests;
pub mod server;
pub mod shapes;
pub mod wfformat;
