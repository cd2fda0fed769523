//! [`Cache`]: the last value of a key, until it expires.

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
}
