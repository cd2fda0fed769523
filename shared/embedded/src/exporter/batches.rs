//! Spans on their way into requests.

use std::collections::VecDeque;

use orchestrator_engine::trace::Span;
use orchestrator_engine::trace::otlp::{Request, Resource};

/// Makes requests of so many spans at most.
#[derive(Debug)]
pub(super) struct Batches {
    resource: Resource,
    spans_max: usize,
    open: Option<Request>,
    full: VecDeque<Batch>,
    /// A body that was sent: its memory is used again.
    spare: Vec<u8>,
}

/// A request.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) body: Vec<u8>,
    pub(super) spans: usize,
}

impl Batches {
    /// Of spans of this resource.
    pub(super) fn new(resource: Resource, spans_max: usize) -> Batches {
        Batches {
            resource,
            spans_max,
            open: None,
            full: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// Writes a span into the request that is open.
    pub(super) fn add(&mut self, span: &Span<'_>) {
        let begin = || Request::new(&self.resource, std::mem::take(&mut self.spare));
        let request = self.open.get_or_insert_with(begin);
        request.add(span);
        if request.spans() >= self.spans_max {
            self.close();
        }
    }

    /// A request that is full.
    pub(super) fn full(&mut self) -> Option<Batch> {
        self.full.pop_front()
    }

    /// What is left, full or not.
    pub(super) fn rest(&mut self) -> Option<Batch> {
        self.close();
        self.full()
    }

    /// Takes back the memory of a request.
    pub(super) fn reuse(&mut self, batch: Batch) {
        self.spare = batch.body;
    }

    fn close(&mut self) {
        if let Some(request) = self.open.take() {
            let spans = request.spans();
            let body = request.into_bytes();
            self.full.push_back(Batch { body, spans });
        }
    }
}
