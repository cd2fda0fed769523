//! The policy engine: a pure evaluator of "may this task run, where, and how?".
//!
//! Nothing about policy lives in the DAG code: [`crate::run`] only carries out a [`Choice`] that was made here and recorded
//! before dispatch. `choose` is the verb of this module; `decide` belongs to the run aggregate.

pub mod choice;

pub use choice::{Choice, HoldReason, Overrides, PoolDemand, RetryRule, Verdict};
