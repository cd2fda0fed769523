//! The same question asked in several processes at once is asked in one of them.
//!
//! Whoever claims a question asks it, and renews the claim while it does. The others look for the answer in the memory, at growing
//! intervals, until it is there, the claim has lapsed because its process died, or they have waited long enough; then they ask themselves.

use std::convert::Infallible;

use crate::ports::{Cache, Clock, Pause};

/// How long a claim holds without being renewed, milliseconds.
const CLAIM_MS: u64 = 10_000;
/// How often it is renewed.
const RENEWAL_MS: u64 = 3_000;
/// The first pause of those who wait; it doubles.
const PAUSE_MS: u64 = 25;
/// The longest.
const PAUSE_MAX_MS: u64 = 500;
/// The longest wait for another process that keeps renewing its claim.
const WAIT_MAX_MS: u64 = 120_000;

/// Whose turn it is to ask.
pub(super) enum Turn {
    /// Ours: the claim is given back when there is an answer.
    Claimed,
    /// Ours, without a claim: it cannot be had, or whoever has it takes too long.
    Unclaimed,
    /// Another process may have answered by now.
    Look,
}

/// A question on its way through this process.
pub(super) struct Question<'d, C, K> {
    cache: &'d C,
    clock: &'d K,
    key: String,
    own: [u8; 16],
    pause_ms: u64,
    waited_ms: u64,
}

impl<'d, C: Cache, K: Clock + Pause> Question<'d, C, K> {
    /// The question whose answer is remembered under `memo`.
    pub fn new(cache: &'d C, clock: &'d K, memo: &str) -> Question<'d, C, K> {
        Question {
            cache,
            clock,
            key: format!("asking:{memo}"),
            own: clock.random_bits().to_be_bytes(),
            pause_ms: PAUSE_MS,
            waited_ms: 0,
        }
    }

    /// Claims the question, or waits a while for whoever has claimed it.
    pub async fn turn(&mut self) -> Turn {
        let now = self.clock.now();
        // Looking is cheaper than trying to write, so it comes first once somebody else is known to ask.
        let is_taken = match self.waited_ms {
            0 => Ok(false),
            _ => self.cache.get(&self.key, now).await.map(|claim| claim.is_some()),
        };
        let is_claimed = match is_taken {
            Ok(true) => Ok(false),
            Ok(false) => self.cache.claim(&self.key, &self.own, now, now + CLAIM_MS).await,
            Err(error) => Err(error),
        };
        match is_claimed {
            Ok(true) => return Turn::Claimed,
            Ok(false) if self.waited_ms < WAIT_MAX_MS => {}
            Ok(false) => return Turn::Unclaimed,
            Err(error) => {
                tracing::warn!(%error, "a question cannot be claimed; another process may ask it too");
                return Turn::Unclaimed;
            }
        }
        // Not all at the same time.
        let drawn = u64::try_from(self.clock.random_bits() % u128::from(self.pause_ms)).unwrap_or(0);
        let pause_ms = self.pause_ms / 2 + drawn / 2 + 1;
        self.clock.pause(pause_ms).await;
        self.waited_ms += pause_ms;
        self.pause_ms = (self.pause_ms * 2).min(PAUSE_MAX_MS);
        Turn::Look
    }

    /// Keeps the claim for as long as this is polled.
    pub async fn renew(&self) -> Infallible {
        loop {
            self.clock.pause(RENEWAL_MS).await;
            let now = self.clock.now();
            let renewed = self.cache.put(&self.key, &self.own, now, now + CLAIM_MS);
            if let Err(error) = renewed.await {
                tracing::warn!(%error, "the claim of a question cannot be renewed");
            }
        }
    }

    /// Gives the claim back.
    pub async fn give_back(&self) {
        if let Err(error) = self.cache.remove(&self.key).await {
            tracing::debug!(%error, "the claim of a question is left to expire");
        }
    }
}
