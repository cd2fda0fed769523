//! The adapters against an emulator of AWS, or whatever `AWS_ENDPOINT_URL` names. Every test has an account of its own.

mod agents;
mod caches;
mod contention;
mod contracts;
mod costs;
mod faults;
mod figures;
mod objects;
mod runs;
mod sla;
mod world;
