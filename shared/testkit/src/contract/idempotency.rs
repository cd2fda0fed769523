//! [`Idempotency`]: one key of one client stands for one run until it expires.

use futures_util::future::join_all;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::Idempotency;
use orchestrator_engine::ports::idempotency::{Claim, Claimed};

use super::run;

fn claim(client: &str, key: &str, n: u64, now: i64) -> Claim {
    Claim {
        client_id: client.to_owned(),
        key: key.to_owned(),
        body_hash: [u8::try_from(n).unwrap_or(0); 32],
        run: run(n),
        now: Timestamp(now),
        expires_at: Timestamp(now + 1_000),
    }
}

/// The whole contract, on an empty adapter.
///
/// # Panics
/// With the rule that is broken.
pub async fn check(store: &impl Idempotency) {
    let known = |n: u64| {
        Ok(Claimed::Known {
            run: run(n),
            body_hash: [u8::try_from(n).unwrap_or(0); 32],
        })
    };
    assert_eq!(store.claim(claim("ann", "k", 1, 0)).await, Ok(Claimed::New));
    assert_eq!(
        store.claim(claim("ann", "k", 2, 500)).await,
        known(1),
        "the first claim stands"
    );
    assert_eq!(
        store.claim(claim("bob", "k", 3, 0)).await,
        Ok(Claimed::New),
        "clients do not share keys"
    );
    assert_eq!(
        store.claim(claim("ann", "l", 4, 0)).await,
        Ok(Claimed::New),
        "keys differ"
    );
    assert_eq!(
        store.claim(claim("ann", "k", 5, 2_000)).await,
        Ok(Claimed::New),
        "an expired claim is forgotten"
    );
    assert_eq!(store.claim(claim("ann", "k", 6, 2_001)).await, known(5));
    let claims = join_all((10..18).map(|n| store.claim(claim("ann", "race", n, 0)))).await;
    let new = claims
        .iter()
        .filter(|claim| matches!(claim, Ok(Claimed::New)))
        .count();
    assert_eq!(new, 1, "of concurrent claims one wins: {claims:?}");
}
