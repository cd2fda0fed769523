//! The store: one SQLite file in WAL mode with `synchronous=FULL`, one writer.
//!
//! [`Store`] owns the only write connection and commits many runs' appends in one transaction; [`Reader`](crate::Reader)
//! has read connections of its own, which never wait for the writer. Both share the queries in `read`.
//!
//! Reading order: `schema`, [`Store`], `read`, [`StoreError`].

pub(crate) mod alerts;
mod batch;
mod error;
mod idempotency;
mod log_file;
pub(crate) mod read;
mod schema;
mod store;
#[cfg(test)]
mod tests;

pub use error::{Kind, StoreError};
pub use store::Store;

pub(crate) use batch::{ActiveRun, Batch};
