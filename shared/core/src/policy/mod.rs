//! The policy engine: a pure evaluator of "may this task run, where, and how?".
//!
//! Nothing about policy lives in the DAG code: [`crate::run`] only carries out a [`Choice`] that was made here and recorded
//! before dispatch. `choose` is the verb of this module; `decide` belongs to the run aggregate.
//!
//! How a choice comes about, and in which order of precedence, is told in `docs/policy.md`.
//!
//! Reading order: [`config`] is a policy as written and `default_policy.yaml` the one everybody starts from; [`Policy`] is
//! the two merged, checked and prepared; [`choose()`] puts a [`Question`] to it; [`explain`](explain::explain) tells how the
//! answer came about.

pub mod config;

mod prepared;

pub mod choice;
pub mod question;

mod built_in;
mod check;
mod choose;
mod draft;
mod pattern;
mod rule;
mod window;

pub mod cases;
pub mod explain;

pub use built_in::NEUTRAL_PRIORITY;
pub use choice::{Choice, HoldReason, Overrides, PoolDemand, RetryRule, Verdict};
pub use choose::choose;
pub use config::{PolicyConfig, default_config};
pub use prepared::{AgentLimits, CPU_POOL, GPU_POOL, Policy, PolicyError, Surroundings, agent_pool};
pub use question::{Question, RunFacts, TaskFacts};

#[cfg(test)]
mod tests;
