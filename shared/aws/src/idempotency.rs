//! `Idempotency-Key`s on the table: one conditional write each.

use orchestrator_core::ids::RunId;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Idempotency;
use orchestrator_engine::ports::idempotency::{Claim, Claimed};

use crate::fault::{Fault, Kind};
use crate::table::item::{Item, bytes, bytes_of, hash_of, number, seconds};
use crate::table::keys::{Key, PK, TTL};
use crate::table::{Condition, Table, Written};

const RUN: &str = "run";
const BODY: &str = "body";
const EXPIRES_AT: &str = "expires_at";

/// Claims of requests.
#[derive(Debug, Clone)]
pub struct TableIdempotency(pub Table);

impl Idempotency for TableIdempotency {
    async fn claim(&self, claim: Claim) -> Result<Claimed, HostError> {
        let mut item = Key::idempotency(&claim.client_id, &claim.key).to_item();
        item.insert(RUN.to_owned(), bytes(claim.run.to_bytes()));
        item.insert(BODY.to_owned(), bytes(claim.body_hash));
        item.insert(EXPIRES_AT.to_owned(), number(claim.expires_at.0));
        item.insert(TTL.to_owned(), seconds(claim.expires_at));
        let is_free = Condition::new(
            &format!("attribute_not_exists({PK}) OR {EXPIRES_AT} <= :now"),
            [(":now", number(claim.now.0))],
        );
        let written = self.0.put(item, 0, Some(is_free)).await;
        match written.map_err(of_claims)? {
            Written::Done => Ok(Claimed::New),
            Written::Refused(Some(item)) => match known(&item).map_err(of_claims)? {
                // The answer to this very request was lost, and it was sent again.
                Claimed::Known { run, .. } if run == claim.run => Ok(Claimed::New),
                known => Ok(known),
            },
            Written::Refused(None) => Err(of_claims(Fault {
                kind: Kind::Transient,
                detail: "a claim was refused without saying by which".to_owned(),
            })),
        }
    }
}

fn known(item: &Item) -> Result<Claimed, Fault> {
    let malformed = |_| Fault {
        kind: Kind::Fatal,
        detail: "a stored claim names no run".to_owned(),
    };
    let run: [u8; 16] = bytes_of(item, RUN)?.try_into().map_err(malformed)?;
    Ok(Claimed::Known {
        run: RunId::from_bytes(run),
        body_hash: hash_of(item, BODY)?,
    })
}

fn of_claims(fault: Fault) -> HostError {
    fault.in_part("the store of idempotency keys")
}
