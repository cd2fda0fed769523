//! The cache on a server: the contract against a server of four commands, and what is sent to find ElastiCache.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::world::World;
use orchestrator_aws::cache::RedisCache;
use orchestrator_aws::cache::discovery::Discovery;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::Cache;
use orchestrator_testkit::contract;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

type Values = Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>;

/// Answers GET, SET and DEL as a Redis server does, and OK to everything else.
async fn serve(stream: TcpStream, values: Values) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let Some(count) = length(&mut stream).await? else {
            return Ok(());
        };
        let mut words = Vec::new();
        for _ in 0..count {
            let bytes = length(&mut stream).await?.unwrap_or(0);
            let mut word = vec![0; bytes + 2];
            stream.read_exact(&mut word).await?;
            word.truncate(bytes);
            words.push(word);
        }
        let answer = {
            let mut values = values.lock().unwrap_or_else(PoisonError::into_inner);
            match (words[0].to_ascii_uppercase().as_slice(), &words[1..]) {
                (b"GET", [key]) => values.get(key).map_or(b"$-1\r\n".to_vec(), |value| bulk(value)),
                (b"SET", [key, value, ..]) => {
                    values.insert(key.clone(), value.clone());
                    b"+OK\r\n".to_vec()
                }
                (b"DEL", [key]) => format!(":{}\r\n", u8::from(values.remove(key).is_some())).into_bytes(),
                _ => b"+OK\r\n".to_vec(),
            }
        };
        stream.get_mut().write_all(&answer).await?;
    }
}

/// The number of a line such as `*3` or `$5`.
async fn length(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<usize>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let number = line.trim().get(1..).and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| std::io::Error::other(line))
}

fn bulk(value: &[u8]) -> Vec<u8> {
    let mut answer = format!("${}\r\n", value.len()).into_bytes();
    answer.extend_from_slice(value);
    answer.extend_from_slice(b"\r\n");
    answer
}

#[tokio::test]
async fn the_cache_on_a_server_keeps_its_contract() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("an address"));
    let accept = async move {
        let values = Values::default();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&values)));
        }
    };
    let server = tokio::spawn(accept);
    contract::cache::check(&RedisCache::at(url), Timestamp(1_000_000)).await;
    server.abort();
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
