//! What tests of this workspace share: ports in memory, faults, contract suites, and the deterministic simulator.
//!
//! - [`memory`]: every port in memory, for tests and for the simulator.
//! - [`faults`]: wraps a port so that it fails by plan: exactly N times, or at a rate drawn from a seed.
//! - [`contract`]: what every adapter of a port must do; each adapter's tests call these suites.
//! - [`simulator`]: the whole system in one thread under one seed, with faults, checked after every step.
//! - [`random`]: the only source of chance, seeded.

// Everything here is polled on one thread, as the ports are.
#![expect(async_fn_in_trait)]

pub mod contract;
pub mod faults;
pub mod memory;
pub mod random;
pub mod simulator;
