//! Pieces that several persisted events have: failures, and JSON as text.

use std::borrow::Cow;

use minicbor::{Decode, Encode};
use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{Event, Failure, FailureClass, SkipReason};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::choice;

/// JSON as text inside a record.
pub(super) type Json<'a> = Cow<'a, str>;

#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct PersistedFailure<'a> {
    #[n(0)]
    class: u8,
    #[b(1)]
    message: Cow<'a, str>,
    #[n(2)]
    exit_code: Option<i32>,
}

impl<'a> PersistedFailure<'a> {
    pub(super) fn of(failure: &'a Failure) -> PersistedFailure<'a> {
        PersistedFailure {
            class: choice::number(&FailureClass::ALL, &failure.class),
            message: failure.message.as_str().into(),
            exit_code: failure.exit_code,
        }
    }

    pub(super) fn into_failure(self) -> Result<Failure, Error> {
        Ok(Failure {
            class: choice::value(&FailureClass::ALL, self.class, "a failure class")?,
            message: self.message.into_owned(),
            exit_code: self.exit_code,
        })
    }
}

pub(super) fn json<T: Serialize>(value: &T) -> Json<'static> {
    serde_json::to_string(value)
        .expect("JSON values serialise")
        .into()
}

pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Malformed(format!("bad JSON inside: {error}")))
}

/// The event that says why a task will not run.
pub(super) fn skipped(node: u32, reason: SkipReason) -> Event {
    let node = NodeIx(node);
    Event::TaskSkipped { node, reason }
}
