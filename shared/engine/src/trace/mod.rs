//! Traces of runs: what is exported, and how it travels.
//!
//! One run is one trace. Its spans are derived from the journal: a [`Timeline`] is fed the events of a run, as [`Mark`]s, and
//! yields [`Interval`]s, [`RunTrace`] makes spans of them, with [`ids`] that follow from what a span is about. So every process
//! that reads the journal continues the same trace, after restarts and retries, and an agent's parent is known before its
//! attempt has begun. What is not in the journal (requests, turns, functions) is recorded as it happens by the [`Tracer`].
//!
//! Nothing here sends anything. A host gives the [`Tracer`] a [`Sink`] that does, and [`otlp`] has the form it is sent in.
//!
//! Reading order: [`context`], [`ids`], [`timeline`], [`run`], [`follow`], [`queue`], [`tracer`], [`otlp`].

mod attributes;
pub mod context;
pub mod export;
pub(crate) mod follow;
pub mod history;
pub mod ids;
pub mod interval;
mod lane;
pub mod mark;
mod note;
pub mod otlp;
pub(crate) mod parts;
pub mod propagation;
pub(crate) mod protobuf;
pub mod queue;
pub mod run;
pub mod sampler;
pub mod span;
pub mod timeline;
pub mod tracer;
mod track;
pub(crate) mod turn;
pub mod xray;

pub use context::{Context, Parent, SpanId, TraceId};
pub use export::Export;
pub use interval::{Interval, Outcome, Phase};
pub use mark::Mark;
pub use propagation::Propagators;
pub use queue::Queue;
pub use run::{RunTrace, Turn};
pub use sampler::Sampler;
pub use span::{Span, SpanKind, Value};
pub use timeline::Timeline;
pub use tracer::{Record, Sink, Tracer};
