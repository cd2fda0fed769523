//! Concurrency limits across runs.
