//! The persisted form of what happened: compact, versioned, and apart from the domain's events.
//!
//! A record is the CBOR array `[version, time, [event, ...]]`; an event is `[number, field, ...]`. Rules for changing it:
//! numbers are never reused; a field may be added at the end of an event if it is optional; anything else is a new
//! [`VERSION`] with an upcast from the old one in [`decode`]. Old readers refuse new versions instead of guessing.
//! `tests/journals` holds a record of every version ever written; a test decodes them all.

mod carried;
mod checkpoint;
mod choice;
mod event;
mod parts;
mod reuse;
mod rollback;
mod sla;

use minicbor::{Decoder, Encoder};
use orchestrator_core::run::Event;
use orchestrator_core::time::Timestamp;

use event::Persisted;

/// Version of the format written today.
pub const VERSION: u32 = 1;

/// What cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Written by a newer program.
    #[error("the record has version {0}, this program reads up to {VERSION} (upgrade it)")]
    Newer(u32),
    /// Not a record.
    #[error("the record cannot be decoded: {0}")]
    Malformed(String),
}

/// Encodes one append.
pub fn encode(at: Timestamp, events: &[Event]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::with_capacity(16 + 16 * events.len()));
    let written: Result<(), minicbor::encode::Error<std::convert::Infallible>> = (|| {
        encoder
            .array(3)?
            .u32(VERSION)?
            .i64(at.0)?
            .array(events.len() as u64)?;
        for event in events {
            encoder.encode(Persisted::of(event, at))?;
        }
        Ok(())
    })();
    written.expect("writing to memory does not fail");
    encoder.into_writer()
}

/// Decodes one append.
///
/// # Errors
/// When the bytes are not a record this program can read.
pub fn decode(record: &[u8]) -> Result<(Timestamp, Vec<Event>), Error> {
    let malformed = |error: minicbor::decode::Error| Error::Malformed(error.to_string());
    let mut decoder = Decoder::new(record);
    decoder.array().map_err(malformed)?;
    let version = decoder.u32().map_err(malformed)?;
    if version > VERSION {
        return Err(Error::Newer(version));
    }
    let at = Timestamp(decoder.i64().map_err(malformed)?);
    let count = decoder.array().map_err(malformed)?;
    let count = count.ok_or_else(|| Error::Malformed("the events have no count".to_owned()))?;
    let mut events = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(record.len()));
    for _ in 0..count {
        let persisted: Persisted<'_> = decoder.decode().map_err(malformed)?;
        events.push(persisted.into_event(at)?);
    }
    Ok((at, events))
}
