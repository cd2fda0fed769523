//! The cache on a server: the contract against a real one, and what is sent to find ElastiCache.

use crate::world::World;
use emulator::Valkey;
use orchestrator_aws::cache::RedisCache;
use orchestrator_aws::cache::discovery::Discovery;
use orchestrator_aws::clock::SystemClock;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::{Cache, Clock as _};
use orchestrator_testkit::contract;
use tokio::net::TcpListener;

#[tokio::test]
async fn the_cache_on_a_server_keeps_its_contract() {
    let server = Valkey::start().unwrap_or_else(|problem| panic!("{problem}"));
    let cache = RedisCache::at(server.url.clone());
    contract::cache::check(&cache, SystemClock.now()).await;
    drop(server);
    let answer = cache.get("k", SystemClock.now()).await;
    assert!(answer.is_err(), "a server that has gone is an error: {answer:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_and_no_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let answer = RedisCache::at(url).get("k", Timestamp(0)).await;
    assert_eq!(answer.map_err(|error| error.what), Err("the cache"));
}

#[tokio::test]
async fn elasticache_is_found_by_name_with_a_fresh_token() {
    let world = World::new().await;
    let elasticache = &world.clients.elasticache;
    let serverless = elasticache
        .create_serverless_cache()
        .serverless_cache_name("results")
        .engine("valkey");
    serverless.send().await.expect("a serverless cache");
    let group = elasticache
        .create_replication_group()
        .replication_group_id("group");
    let group = group.replication_group_description("tests").engine("valkey");
    group.send().await.expect("a replication group");
    let find = async |name: &str, is_serverless, user: Option<&str>| {
        Discovery::new(
            &world.clients,
            name.to_owned(),
            is_serverless,
            user.map(str::to_owned),
        )
        .find()
        .await
    };
    let serverless = find("results", true, Some("functions"))
        .await
        .expect("it is there");
    assert!(
        serverless.is_cluster
            && serverless
                .url
                .starts_with("rediss://functions:results%2F%3FAction%3Dconnect")
    );
    let group = find("group", false, None).await.expect("it is there");
    assert!(!group.is_cluster && group.url.starts_with("redis://") && !group.url.contains('@'));
    let missing = find("nothing", true, None).await.expect_err("there is none");
    assert_eq!(missing.what, "the cache");
}
