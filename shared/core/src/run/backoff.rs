//! When the next attempt is due.

use sha2::{Digest, Sha256};

use crate::ids::AttemptKey;
use crate::policy::RetryRule;

/// Delay before the attempt after `failed`, in milliseconds: exponential backoff with full jitter, that is, uniform in
/// `0 ..= min(cap, base x 2^retries)` (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
///
/// The jitter is a hash of the attempt's key instead of a random number, so a decision replays to the same time.
pub fn delay_ms(rule: &RetryRule, retries: u32, failed: AttemptKey) -> u64 {
    let doubled = rule
        .backoff_base_ms
        .saturating_mul(1_u64.checked_shl(retries).unwrap_or(u64::MAX));
    let bound = doubled.min(rule.backoff_max_ms);
    let mut hasher = Sha256::new();
    hasher.update(failed.run.to_bytes());
    hasher.update(failed.node.0.to_be_bytes());
    hasher.update(failed.epoch.to_be_bytes());
    hasher.update(failed.attempt.to_be_bytes());
    let digest = hasher.finalize();
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(head) % (bound + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{NodeIx, RunId};

    fn delays(retries: u32) -> Vec<u64> {
        let rule = RetryRule {
            auto: true,
            max_retries: 9,
            backoff_base_ms: 1_000,
            backoff_max_ms: 30_000,
        };
        let key = |random| AttemptKey {
            run: RunId::from_parts(0, random),
            node: NodeIx(0),
            epoch: 1,
            attempt: retries + 1,
        };
        (0..1_000)
            .map(|random| delay_ms(&rule, retries, key(random)))
            .collect()
    }

    #[test]
    fn jitter_is_full_and_the_bound_doubles_up_to_the_cap() {
        for (retries, bound) in [
            (0, 1_000),
            (1, 2_000),
            (4, 16_000),
            (5, 30_000),
            (63, 30_000),
            (64, 30_000),
        ] {
            let delays = delays(retries);
            let mean = delays.iter().sum::<u64>() / 1_000;
            assert!(delays.iter().all(|delay| *delay <= bound), "retry {retries}");
            assert!(
                (bound * 4 / 10..=bound * 6 / 10).contains(&mean),
                "retry {retries}: mean {mean}"
            );
        }
    }
}
