//! What every adapter of a port must do, as functions that an adapter's tests call with a fresh adapter.
//!
//! They rely on nothing but the documented contract of the port, so that they hold for memory, SQLite and DynamoDB alike. A
//! breach panics with the rule that was broken.

pub mod cache;
pub mod due_index;
pub mod idempotency;
pub mod journal;
pub mod lease_audit;
pub mod pools;
pub mod rate_limits;
pub mod run_index;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use futures_util::task::noop_waker_ref;
use orchestrator_core::ids::RunId;

/// Runs a future that waits for nothing but itself, as those of ports in memory do.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(noop_waker_ref())) {
            return value;
        }
        std::thread::yield_now();
    }
}

/// The `n`-th run of a suite; later ones are newer.
fn run(n: u64) -> RunId {
    RunId::from_parts(1_700_000_000_000 + n, u128::from(n))
}
