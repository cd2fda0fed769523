//! The persisted form of what became of looking for a kept result.

use std::borrow::Cow;
use std::sync::Arc;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::run::{Event, Found, Lookup, Origin, ResultKey};
use orchestrator_core::time::Timestamp;
use serde_json::Value;

use super::Error;
use super::event::Persisted;
use super::parts::{Json, json, parse};

/// What became of it.
#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct PersistedLookup<'a> {
    #[n(0)]
    key: ByteArray<32>,
    #[n(1)]
    found: u8,
    #[b(2)]
    origin: Option<PersistedOrigin<'a>>,
}

/// The execution a result comes from.
#[derive(Debug, Encode, Decode)]
#[cbor(array)]
struct PersistedOrigin<'a> {
    #[n(0)]
    run: ByteArray<16>,
    #[b(1)]
    task: Cow<'a, str>,
    #[n(2)]
    epoch: u32,
    #[n(3)]
    attempt: u32,
    #[n(4)]
    at: i64,
    #[n(5)]
    run_ms: u64,
}

pub(super) fn reused<'a>(
    node: NodeIx,
    choice: u32,
    lookup: &'a Lookup,
    output: Option<&'a Value>,
) -> Persisted<'a> {
    Persisted::TaskReused(node.0, choice, PersistedLookup::of(lookup), output.map(json))
}

pub(super) fn into_reused(
    node: u32,
    choice: u32,
    lookup: PersistedLookup<'_>,
    output: Option<Json<'_>>,
) -> Result<Event, Error> {
    Ok(Event::TaskReused {
        node: NodeIx(node),
        choice,
        lookup: lookup.into_lookup()?,
        output: output.map(|output| parse(&output)).transpose()?.map(Arc::new),
    })
}

impl<'a> PersistedLookup<'a> {
    pub(super) fn of(lookup: &'a Lookup) -> PersistedLookup<'a> {
        let (found, origin) = match &lookup.found {
            Found::Kept(origin) => (0, Some(PersistedOrigin::of(origin))),
            Found::Nothing => (1, None),
            Found::Unwanted => (2, None),
            Found::TakenBack => (3, None),
            Found::Unreachable => (4, None),
        };
        PersistedLookup {
            key: lookup.key.0.into(),
            found,
            origin,
        }
    }

    pub(super) fn into_lookup(self) -> Result<Arc<Lookup>, Error> {
        let found = match (self.found, self.origin) {
            (0, Some(origin)) => Found::Kept(origin.into_origin()),
            (1, None) => Found::Nothing,
            (2, None) => Found::Unwanted,
            (3, None) => Found::TakenBack,
            (4, None) => Found::Unreachable,
            (number, _) => {
                let detail = format!("{number} is not what became of looking for a result");
                return Err(Error::Malformed(detail));
            }
        };
        let key = ResultKey(*self.key);
        Ok(Arc::new(Lookup { key, found }))
    }
}

impl<'a> PersistedOrigin<'a> {
    fn of(origin: &'a Origin) -> PersistedOrigin<'a> {
        PersistedOrigin {
            run: origin.run.to_bytes().into(),
            task: origin.task.as_str().into(),
            epoch: origin.epoch,
            attempt: origin.attempt,
            at: origin.at.0,
            run_ms: origin.run_ms,
        }
    }

    fn into_origin(self) -> Origin {
        Origin {
            run: RunId::from_bytes(*self.run),
            task: self.task.into_owned(),
            epoch: self.epoch,
            attempt: self.attempt,
            at: Timestamp(self.at),
            run_ms: self.run_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{decode, encode};

    fn lookup(found: Found) -> Option<Arc<Lookup>> {
        let key = ResultKey([7; 32]);
        Some(Arc::new(Lookup { key, found }))
    }

    fn queued(lookup: Option<Arc<Lookup>>) -> Event {
        Event::TaskQueued {
            node: NodeIx(5),
            attempt: 1,
            choice: 2,
            usage: Vec::new(),
            lookup,
        }
    }

    fn stored(event: &Event) -> String {
        let record = encode(Timestamp(1), std::slice::from_ref(event));
        assert_eq!(decode(&record), Ok((Timestamp(1), vec![event.clone()])));
        hex::encode(record)
    }

    /// What is stored on people's disks: every later version must read it.
    #[test]
    fn stored_records_are_read_and_written_as_they_are() {
        let origin = Origin {
            run: RunId::from_bytes([1; 16]),
            task: "each[1]".to_owned(),
            epoch: 1,
            attempt: 2,
            at: Timestamp(3),
            run_ms: 4,
        };
        let key = format!("5820{}", "07".repeat(32));
        let from = format!("8650{}67656163685b315d01020304", "01".repeat(16));
        let reused = Event::TaskReused {
            node: NodeIx(5),
            choice: 2,
            lookup: lookup(Found::Kept(origin)).unwrap(),
            output: Some(Arc::new(serde_json::json!(1))),
        };
        for (event, end) in [
            (queued(None), "850c05010280".to_owned()),
            (queued(lookup(Found::Nothing)), format!("860c0501028082{key}01")),
            (queued(lookup(Found::Unwanted)), format!("860c0501028082{key}02")),
            (queued(lookup(Found::TakenBack)), format!("860c0501028082{key}03")),
            (
                queued(lookup(Found::Unreachable)),
                format!("860c0501028082{key}04"),
            ),
            (reused, format!("85182d050283{key}00{from}6131")),
        ] {
            let stored = stored(&event);
            assert!(stored.ends_with(&end), "{stored} does not end with {end}");
        }
    }
}
