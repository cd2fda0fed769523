//! The DSL: from the bytes of a document to a validated graph.
//!
//! [`parse`] turns text into a tree that remembers positions (`document`), and the tree into a [`Workflow`] or into the
//! list of *all* its [`Problem`]s (`validate`). Everything behind this module accepts only the validated type.

pub mod definition;
mod document;
pub mod expression;
mod inputs;
pub mod limits;
pub mod problem;
pub mod reference;
mod spec;
pub mod template;
pub mod typed;
mod validate;

pub use crate::sla::SlaSpec;
pub use definition::{
    Compensation, OnDenied, ResourceClass, ResourceSpec, RetrySpec, Task, Trigger, Workflow,
};
pub use expression::Expression;
pub use limits::Limits;
pub use problem::{Code, Location, Problem, Severity};
pub use spec::json_schema;
pub use template::Template;
pub use validate::{Parsed, parse};

#[cfg(test)]
mod tests;
