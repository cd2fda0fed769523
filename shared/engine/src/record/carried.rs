//! The persisted form of what a request carried along beside its `traceparent`.

use std::borrow::Cow;

use minicbor::{Decode, Encode};
use orchestrator_core::run::Carrier;

/// `tracestate` and `baggage`.
#[derive(Debug, Encode, Decode)]
pub(super) struct Carried<'a> {
    #[b(0)]
    state: Option<Cow<'a, str>>,
    #[b(1)]
    baggage: Option<Cow<'a, str>>,
}

impl<'a> Carried<'a> {
    /// `None` when there is neither.
    pub(super) fn of(carrier: &'a Carrier) -> Option<Carried<'a>> {
        let carried = Carried {
            state: carrier.state.as_deref().map(Cow::from),
            baggage: carrier.baggage.as_deref().map(Cow::from),
        };
        (carried.state.is_some() || carried.baggage.is_some()).then_some(carried)
    }

    /// The carrier they came with.
    pub(super) fn with(carried: Option<Carried<'_>>, parent: Option<Cow<'_, str>>) -> Carrier {
        let (state, baggage) = carried.map_or((None, None), |carried| (carried.state, carried.baggage));
        Carrier {
            parent: parent.map(Cow::into_owned),
            state: state.map(Cow::into_owned),
            baggage: baggage.map(Cow::into_owned),
        }
    }
}
