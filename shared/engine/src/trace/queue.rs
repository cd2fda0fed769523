//! What waits to be sent: bounded, counted in spans.

use std::collections::VecDeque;

use super::tracer::Record;

/// Records on their way to a collector.
#[derive(Debug, Default)]
pub struct Queue {
    records: VecDeque<Record>,
    spans: usize,
}

impl Queue {
    /// Takes in a record, unless the queue is full with so many spans. How many spans were dropped instead.
    pub fn push(&mut self, record: Record, spans_max: usize) -> usize {
        if self.spans >= spans_max {
            return drop_spans(record);
        }
        // One with more spans than there is room for, as the last append of a large run is, is taken whole.
        self.spans += record.spans();
        match &record {
            // It stands in the queue already, and is seen whole when its turn comes.
            Record::Followed(following, _) if !following.queue() => {}
            _ => self.records.push_back(record),
        }
        0
    }

    /// How many spans wait.
    pub fn spans(&self) -> usize {
        self.spans
    }

    /// Everything that waits; then nothing does.
    pub fn take(&mut self) -> VecDeque<Record> {
        self.spans = 0;
        std::mem::take(&mut self.records)
    }
}

/// Drops a record: so many spans are lost. A run stays followed, so that what it appends later is seen in its place.
pub fn drop_spans(record: Record) -> usize {
    match record {
        Record::Followed(following, _) => {
            let mut spans = 0;
            following.see(|_| spans += 1);
            spans
        }
        record => record.spans(),
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::ids::RunId;
    use orchestrator_core::time::Timestamp;

    use super::*;
    use crate::trace::span::{Span, SpanKind};
    use crate::trace::{Context, ids};

    #[test]
    fn what_does_not_fit_is_counted_and_the_rest_is_kept() {
        let run = RunId::from_parts(1, 1);
        let span = || Span {
            context: Context {
                trace: ids::trace_of(run),
                span: ids::part(run, 0),
                is_sampled: true,
            },
            parent: None,
            state: None,
            name: "s".into(),
            kind: SpanKind::Internal,
            start: Timestamp(0),
            end: Timestamp(0),
            attributes: Vec::new(),
            links: Vec::new(),
            error: None,
        };
        let record = || Record::Span(Box::new(span()));
        let mut queue = Queue::default();
        let dropped: Vec<usize> = (0..3).map(|_| queue.push(record(), 2)).collect();
        assert_eq!((dropped, queue.spans()), (vec![0, 0, 1], 2));
        assert_eq!((queue.take().len(), queue.spans()), (2, 0));
        assert_eq!((queue.push(record(), 0), queue.spans()), (1, 0));
    }
}
