//! The HTTP API, without a server: a request in, a response out, the same behind every host.
//!
//! [`handle()`] finds the [`route`], checks who asks ([`access`]) and calls the operation, which works on a [`Backend`]. Every
//! error is a [`Problem`] with a stable code. The bodies are [`crate::views`]. The embedded host adds only the socket and the
//! event stream ([`events::Feed`]).
//!
//! Reading order: [`route`], [`handle`](mod@handle), [`workflows`], [`runs`], [`operations`], [`reports`], [`problem`].

pub mod access;
pub mod agents;
pub mod backend;
pub mod body;
pub mod events;
pub mod handle;
pub mod later;
pub mod openapi;
pub mod operations;
pub mod policies;
pub mod problem;
pub mod query;
pub mod reports;
pub mod response;
pub mod rollbacks;
pub mod route;
pub mod runs;
pub mod submission;
pub mod system;
pub mod tasks;
pub mod trace;
mod traced;
pub mod translations;
pub mod workflows;

pub use access::{Access, Caller, Role};
pub use backend::{Backend, Intake};
pub use handle::{CORRELATION_ID, REQUEST_ID, handle, take_back};
pub use problem::{Code, Problem};
pub use route::{ROUTES, Route};
