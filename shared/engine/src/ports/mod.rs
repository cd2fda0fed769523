//! What the engine needs from its host: one small trait a file. Adapters live in `orchestrator-embedded` (SQLite, local
//! processes) and in the AWS host (DynamoDB, SQS, Batch). `orchestrator-testkit` has in-memory ones and the contract
//! suites every adapter must pass.
//!
//! The traits are asynchronous but know no runtime: the embedded host polls them on one thread, Lambda on tokio, the
//! simulator one step at a time.

pub mod cache;
pub mod clock;
pub mod compute;
pub mod due_index;
pub mod event_bus;
pub mod idempotency;
pub mod journal;
pub mod lease_audit;
pub mod messages;
pub mod pause;
pub mod pools;
pub mod rate_limits;
pub mod run_index;
pub mod session_cache;

pub use cache::Cache;
pub use clock::Clock;
pub use compute::Compute;
pub use due_index::DueIndex;
pub use event_bus::EventBus;
pub use idempotency::Idempotency;
pub use journal::Journal;
pub use lease_audit::LeaseAudit;
pub use messages::Messages;
pub use pause::Pause;
pub use pools::Pools;
pub use rate_limits::RateLimits;
pub use run_index::RunIndex;
pub use session_cache::SessionCache;

/// Everything a host provides, put together once at start.
pub trait Ports {
    /// See [`Journal`].
    type Journal: Journal;
    /// See [`RunIndex`].
    type RunIndex: RunIndex;
    /// See [`Messages`].
    type Messages: Messages;
    /// See [`Pools`].
    type Pools: Pools;
    /// See [`Compute`].
    type Compute: Compute;
    /// See [`EventBus`].
    type EventBus: EventBus;
    /// See [`Clock`].
    type Clock: Clock;
    /// See [`SessionCache`].
    type SessionCache: SessionCache;
    /// See [`Cache`].
    type Cache: Cache;

    /// The journal.
    fn journal(&self) -> &Self::Journal;
    /// The index of runs.
    fn run_index(&self) -> &Self::RunIndex;
    /// The messages between functions.
    fn messages(&self) -> &Self::Messages;
    /// The pools.
    fn pools(&self) -> &Self::Pools;
    /// Where agents are.
    fn compute(&self) -> &Self::Compute;
    /// Who wants to know what happened.
    fn event_bus(&self) -> &Self::EventBus;
    /// The time.
    fn clock(&self) -> &Self::Clock;
    /// Loaded runs kept between turns.
    fn session_cache(&self) -> &Self::SessionCache;
    /// Results of tasks that may be reused.
    fn cache(&self) -> &Self::Cache;
}
