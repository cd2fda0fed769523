//! The whole system in one thread under one seed.
//!
//! The real [`Engine`](orchestrator_engine::engine::Engine) runs over ports in memory. Every call of a port is a point where
//! other work may come in between, where it may fail, and where the process may die. Agents, operators, clients, queues,
//! timers and the sweep are simulated around it. After every step the [`oracle`] checks the invariants on what the
//! journals say, not on what the engine believes.
//!
//! A run of the simulator has two phases. In the *safety* phase faults happen at rates drawn from the seed ([`swarm`]); in
//! the *liveness* phase they stop, and every run must end, or wait for a reason it can name, within a bound (LIVE-1).
//!
//! Two compositions are simulated ([`Composition`]): the embedded host (decides in the turn, keeps sessions, one turn at a
//! time for a run, loses its memory when it dies) and separate functions over an at-least-once queue (keep nothing, race
//! for appends, die one at a time; decide in the turn or in a function of its own).
//!
//! Reading order: [`swarm`], [`workload`], [`ports`], [`agents`], [`world`], [`steps`], [`liveness`], [`oracle`].

pub mod agents;
pub mod coverage;
mod deadlines;
mod handlers;
mod liveness;
mod mirror;
mod operators;
pub mod oracle;
pub mod ports;
mod results;
mod rollbacks;
mod steps;
pub mod swarm;
mod traces;
pub mod workload;
pub mod world;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use coverage::Coverage;
pub use swarm::{Composition, Swarm};

use world::World;

/// A broken rule: what, under which seed, and what led to it.
#[derive(Debug, Clone)]
pub struct Breach {
    /// The seed that reproduces it.
    pub seed: u64,
    /// The composition that was simulated.
    pub composition: Composition,
    /// The faults that were drawn.
    pub swarm: Swarm,
    /// Which rule, and what was seen.
    pub rule: String,
    /// The last steps, oldest first.
    pub steps: Vec<String>,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {} ({}) broke a rule: {}",
            self.seed, self.composition, self.rule
        )?;
        writeln!(f, "faults: {}", self.swarm)?;
        writeln!(f, "last steps:")?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))?;
        write!(f, "again: cargo xtask simulate --start {} --seeds 1", self.seed)
    }
}

/// Simulates one seed in one composition.
///
/// # Errors
/// With the first broken rule.
pub fn simulate(seed: u64, composition: Composition) -> Result<Coverage, Box<Breach>> {
    let mut world = World::new(seed, composition);
    // After a panic only the list of steps is read, which is whole between two steps.
    let phases = AssertUnwindSafe(|| world.safety_phase().and_then(|()| world.liveness_phase()));
    let outcome = catch_unwind(phases).unwrap_or_else(|panic| Err(format!("PANIC: {}", said(&*panic))));
    match outcome {
        Ok(()) => Ok(world.coverage()),
        Err(rule) => Err(Box::new(world.breach(rule))),
    }
}

/// What a panic said; an assertion of the engine that fails is a broken rule like any other.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(without a message)")
}

/// Simulates one seed in both compositions.
///
/// # Errors
/// With the first broken rule.
pub fn simulate_both(seed: u64) -> Result<Coverage, Box<Breach>> {
    let mut coverage = simulate(seed, Composition::Embedded)?;
    coverage.add(&simulate(seed, Composition::Functions)?);
    Ok(coverage)
}
