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
        for record in records {
            let spans = record.spans();
            if self.spans + spans > spans_max {
                excess += spans;
            } else {
                self.spans += spans;
                self.records.push_back(record);
            }
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
