//! Keys of requests that have been sent before.

use orchestrator_core::ids::RunId;
use orchestrator_engine::ports::idempotency::{Claim, Claimed};
use rusqlite::params;

use super::store::Store;

/// Expired idempotency keys deleted per new one.
const EXPIRED_MAX: u32 = 16;

impl Store {
    pub(super) fn claim(&self, claim: &Claim) -> Result<Claimed, rusqlite::Error> {
        self.connection
            .prepare_cached(
                "DELETE FROM idempotency WHERE (client_id, key) IN \
                 (SELECT client_id, key FROM idempotency WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2) \
                 OR (client_id = ?3 AND key = ?4 AND expires_at <= ?1)",
            )?
            .execute(params![claim.now.0, EXPIRED_MAX, claim.client_id, claim.key])?;
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO idempotency (client_id, key, body_hash, run, expires_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                claim.client_id,
                claim.key,
                claim.body_hash,
                claim.run.to_bytes(),
                claim.expires_at.0,
            ])?;
        if inserted == 1 {
            return Ok(Claimed::New);
        }
        self.connection
            .prepare_cached("SELECT run, body_hash FROM idempotency WHERE client_id = ?1 AND key = ?2")?
            .query_row((&claim.client_id, &claim.key), |row| {
                Ok(Claimed::Known {
                    run: RunId::from_bytes(row.get(0)?),
                    body_hash: row.get(1)?,
                })
            })
    }
}
