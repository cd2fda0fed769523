//! [`RateLimits`]: a burst passes, then clients are told when to come again.

use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::RateLimits;

/// The whole contract, on an adapter that allows 60 requests per minute in bursts of 3 and does not limit hours.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(limits: &impl RateLimits) {
    let take = async |client: &str, at: i64| limits.take(client, Timestamp(at)).await.expect("reachable");
    for _ in 0..3 {
        assert_eq!(take("ann", 0).await, None, "a burst passes");
    }
    assert_eq!(take("ann", 0).await, Some(1), "then the client is told to wait");
    assert_eq!(take("bob", 0).await, None, "clients do not share buckets");
    assert_eq!(
        take("ann", 1_000).await,
        None,
        "a second later there is a token again"
    );
    assert_eq!(take("ann", 1_000).await, Some(1));
}
