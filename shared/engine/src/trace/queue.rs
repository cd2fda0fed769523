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
    /// Takes in what fits into a queue of so many spans, and tells how many spans did not fit.
    pub fn extend(&mut self, records: Vec<Record>, spans_max: usize) -> usize {
        let mut excess = 0;
        for mut record in records {
            let room = spans_max.saturating_sub(self.spans);
            excess += record.spans().saturating_sub(room);
            if room == 0 {
                continue;
            }
            // An append that ends more than there is room for, as the end of a large run does, is told in part.
            if let Record::Intervals(_, intervals) = &mut record {
                intervals.truncate(room);
            }
            self.spans += record.spans();
            self.records.push_back(record);
        }
        excess
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
        let records = |count: usize| (0..count).map(|_| Record::Span(Box::new(span()))).collect();
        let mut queue = Queue::default();
        assert_eq!(queue.extend(records(3), 5), 0);
        assert_eq!((queue.extend(records(3), 5), queue.spans()), (1, 5));
        assert_eq!((queue.take().len(), queue.spans()), (5, 0));
        assert_eq!((queue.extend(records(2), 0), queue.spans()), (2, 0));
    }
}
