//! Remembered `Idempotency-Key`s.

use std::collections::BTreeMap;

use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Idempotency;
use orchestrator_engine::ports::idempotency::{Claim, Claimed};

use super::Shared;

/// Keeps claims by client and key.
#[derive(Debug, Clone, Default)]
pub struct MemoryIdempotency(Shared<BTreeMap<(String, String), Claim>>);

impl Idempotency for MemoryIdempotency {
    async fn claim(&self, claim: Claim) -> Result<Claimed, HostError> {
        let mut claims = self.0.lock();
        let name = (claim.client_id.clone(), claim.key.clone());
        match claims.get(&name) {
            Some(known) if known.expires_at > claim.now => Ok(Claimed::Known {
                run: known.run,
                body_hash: known.body_hash,
            }),
            _ => {
                claims.insert(name, claim);
                Ok(Claimed::New)
            }
        }
    }
}
