//! [`Cache`]: the last value of a key, until it expires.

use futures_util::future::join_all;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::Cache;
use orchestrator_engine::ports::cache::VALUE_BYTES_MAX;

/// The whole contract, on an empty adapter. `now` is the time entries are made at: servers that expire entries by their
/// own clock need the real one.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(cache: &impl Cache, now: Timestamp) {
    const LIFE_MS: u64 = 60_000;
    let until = now + LIFE_MS;
    assert_eq!(cache.get("k", now).await, Ok(None), "an unknown key has no value");
    for value in [&b"first"[..], b"", &[0, 255, 13, 10]] {
        cache.put("k", value, now, until).await.expect("reachable");
        assert_eq!(
            cache.get("k", now).await,
            Ok(Some(value.to_vec())),
            "the last value counts"
        );
    }
    assert_eq!(cache.get("other", now).await, Ok(None), "keys do not mix");
    let large = vec![7; VALUE_BYTES_MAX];
    cache
        .put("large", &large, now, until)
        .await
        .expect("as long as allowed");
    assert_eq!(cache.get("large", now).await, Ok(Some(large)));
    let too_large = vec![7; VALUE_BYTES_MAX + 1];
    assert!(
        cache.put("larger", &too_large, now, until).await.is_err(),
        "longer than allowed"
    );
    cache.remove("k").await.expect("reachable");
    cache.remove("k").await.expect("removing twice is removing once");
    assert_eq!(cache.get("k", now).await, Ok(None), "a removed key has no value");
    let passed = Timestamp(now.0 - 1);
    cache.put("old", b"value", passed, now).await.expect("reachable");
    assert_eq!(
        cache.get("old", now).await,
        Ok(None),
        "an expired entry is not found"
    );
    claims(cache, now).await;
}

/// Of those who claim a key one succeeds, until its claim is removed or has expired.
async fn claims(cache: &impl Cache, now: Timestamp) {
    const LIFE_MS: u64 = 60_000;
    const TRIES_MAX: usize = 10_000;
    let until = now + LIFE_MS;
    let several = (0..8u8).map(async |number| {
        let claimed = cache.claim("claimed", &[number], now, until).await;
        claimed.expect("reachable").then_some(number)
    });
    let winners: Vec<u8> = join_all(several).await.into_iter().flatten().collect();
    assert_eq!(
        winners.len(),
        1,
        "of several claims at once one succeeds: {winners:?}"
    );
    assert_eq!(
        cache.get("claimed", now).await,
        Ok(Some(winners)),
        "a claim is a value like any other"
    );
    assert_eq!(cache.claim("claimed", b"late", now, until).await, Ok(false));
    cache
        .put("claimed", b"renewed", now, until)
        .await
        .expect("reachable");
    assert_eq!(
        cache.claim("claimed", b"late", now, until).await,
        Ok(false),
        "a renewed claim holds"
    );
    cache.remove("claimed").await.expect("reachable");
    assert_eq!(cache.claim("claimed", b"next", now, until).await, Ok(true));
    let passed = Timestamp(now.0 - 1);
    cache
        .put("lapsed", b"value", passed, now)
        .await
        .expect("reachable");
    // A server that expires entries by its own clock may need a moment more.
    let mut tries = 0;
    while cache.claim("lapsed", b"mine", now, until).await != Ok(true) {
        tries += 1;
        assert!(tries < TRIES_MAX, "an expired entry can be claimed");
    }
    assert_eq!(cache.get("lapsed", now).await, Ok(Some(b"mine".to_vec())));
    let too_large = vec![7; VALUE_BYTES_MAX + 1];
    assert!(cache.claim("larger", &too_large, now, until).await.is_err());
}
