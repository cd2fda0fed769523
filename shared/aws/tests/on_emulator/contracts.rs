//! The adapters keep the contracts of their ports.

use crate::world::World;
use orchestrator_aws::cache::TableCache;
use orchestrator_aws::idempotency::TableIdempotency;
use orchestrator_aws::pools::TablePools;
use orchestrator_aws::rate_limits::TableRateLimits;
use orchestrator_core::guard::RateLimits;
use orchestrator_core::time::Timestamp;
use orchestrator_testkit::contract;

#[tokio::test]
async fn journals() {
    let store = World::new().await.store();
    contract::journal::check(&store, &store).await;
}

#[tokio::test]
async fn the_index_of_runs() {
    let store = World::new().await.store();
    contract::run_index::check(&store, &store).await;
}

#[tokio::test]
async fn the_index_of_runs_to_be_looked_at() {
    let store = World::new().await.store();
    contract::due_index::check(&store, &store).await;
}

fn pools(world: &World) -> TablePools {
    let capacities = contract::pools::CAPACITIES.map(|(pool, capacity)| (pool.to_owned(), capacity));
    TablePools::new(world.table(), capacities.into(), 1)
}

#[tokio::test]
async fn pools_of_slots() {
    contract::pools::check(&pools(&World::new().await)).await;
}

#[tokio::test]
async fn audits_of_leases() {
    contract::lease_audit::check(&pools(&World::new().await)).await;
}

#[tokio::test]
async fn idempotency_keys() {
    contract::idempotency::check(&TableIdempotency(World::new().await.table())).await;
}

#[tokio::test]
async fn rate_limits() {
    let limits = RateLimits {
        per_minute: Some(60),
        per_hour: None,
        burst: 3,
    };
    let table = World::new().await.table();
    contract::rate_limits::check(&TableRateLimits::new(table, limits)).await;
}

#[tokio::test]
async fn the_cache_on_the_table() {
    let table = World::new().await.table();
    contract::cache::check(&TableCache(table), Timestamp(1_000_000)).await;
}
