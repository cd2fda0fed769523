//! The DSL: from the bytes of a document to a validated graph.
//!
//! [`parse`](document) turns text into a marked tree, [`validate`] turns the tree into a [`Workflow`] or into the list of
//! *all* its [`Problem`](problem::Problem)s. Everything behind this module accepts only the validated type.

pub mod definition;
pub mod expression;
pub mod reference;
pub mod template;

pub use definition::{
    Compensation, OnDenied, ResourceClass, ResourceSpec, RetrySpec, SlaSpec, Task, Trigger, Workflow,
};
pub use expression::Expression;
pub use template::Template;
