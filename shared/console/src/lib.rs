//! The web console: pages for people, rendered here and served by whatever host serves the API.
//!
//! [`handle()`] takes a request and gives a response, as [`orchestrator_engine::api`] does, and plugs in the same way. Every
//! page is made from what the API answers, and every action is a request to the API, so that a page shows and does nothing
//! that its caller could not see and do without it. Pages need no JavaScript to be read; with it they stay up to date.
//!
//! Text reaches a page through `maud`, which escapes it. Nothing here marks text from outside as HTML.
//!
//! Reading order: [`serve`], [`visit`], [`shell`], [`page`] with one file per page, [`parts`] they share, [`graph`].

mod asset;
mod form;
mod graph;
mod origin;
mod page;
mod parts;
mod serve;
mod session;
mod shell;
mod url;
mod visit;

pub use graph::Layouts;
pub use serve::{Console, Live, handle, is_for, live_run};
