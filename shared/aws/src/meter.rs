//! Counting what is paid for.
//!
//! Requests are counted where they leave the process, tries included. Read and write units are computed from the sizes of
//! items, because not every answer says what it consumed, and emulators get it wrong: 1 KB per write unit, 4 KB per read
//! unit, one write unit more for every index entry that changes, twice as much in transactions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// A service whose requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the service of that name")]
pub enum Service {
    DynamoDb,
    Sqs,
    EventBridge,
    Batch,
    S3,
    ElastiCache,
}

const SERVICES: usize = 6;

/// Counts; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    requests: [AtomicU64; SERVICES],
    write_units: AtomicU64,
    read_half_units: AtomicU64,
    sqs_chunks: AtomicU64,
    sqs_fifo_chunks: AtomicU64,
    events: AtomicU64,
}

/// What has been counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Requests to DynamoDB, tries included.
    pub dynamodb_requests: u64,
    /// Requests to SQS.
    pub sqs_requests: u64,
    /// Requests to EventBridge.
    pub eventbridge_requests: u64,
    /// Requests to Batch.
    pub batch_requests: u64,
    /// Requests to S3.
    pub s3_requests: u64,
    /// DynamoDB write units.
    pub write_units: u64,
    /// DynamoDB read units.
    pub read_units: f64,
    /// Billed requests to standard queues: 64 KB each, at least one per call.
    pub sqs_chunks: u64,
    /// Billed requests to FIFO queues.
    pub sqs_fifo_chunks: u64,
    /// Billed events: 64 KB each.
    pub events: u64,
}

/// What SQS and EventBridge bill as one.
pub const CHUNK_BYTES: usize = 64 * 1024;

impl Meter {
    /// What has been counted since the process started.
    pub fn counts(&self) -> Counts {
        let counters = &*self.0;
        let requests = |service: Service| read(&counters.requests[service as usize]);
        Counts {
            dynamodb_requests: requests(Service::DynamoDb),
            sqs_requests: requests(Service::Sqs),
            eventbridge_requests: requests(Service::EventBridge),
            batch_requests: requests(Service::Batch),
            s3_requests: requests(Service::S3),
            write_units: read(&counters.write_units),
            read_units: read(&counters.read_half_units) as f64 / 2.0,
            sqs_chunks: read(&counters.sqs_chunks),
            sqs_fifo_chunks: read(&counters.sqs_fifo_chunks),
            events: read(&counters.events),
        }
    }

    /// Counts the write of an item of so many bytes that changes so many index entries.
    pub fn write(&self, bytes: usize, index_entries: u64) {
        add(&self.0.write_units, units(bytes, 1024) + index_entries);
    }

    /// Counts a write in a transaction.
    pub fn write_in_transaction(&self, bytes: usize) {
        add(&self.0.write_units, 2 * units(bytes, 1024));
    }

    /// Counts a read of so many bytes.
    pub fn read(&self, bytes: usize, is_consistent: bool) {
        let halves = if is_consistent { 2 } else { 1 };
        add(&self.0.read_half_units, halves * units(bytes, 4096));
    }

    /// Counts one call to a queue.
    pub fn queue_call(&self, bytes: usize, is_fifo: bool) {
        let counter = if is_fifo {
            &self.0.sqs_fifo_chunks
        } else {
            &self.0.sqs_chunks
        };
        add(counter, units(bytes, CHUNK_BYTES));
    }

    /// Counts one event.
    pub fn event(&self, bytes: usize) {
        add(&self.0.events, units(bytes, CHUNK_BYTES));
    }
}

/// Billed in steps, at least one.
fn units(bytes: usize, step: usize) -> u64 {
    bytes.div_ceil(step).max(1) as u64
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Counts the requests of one client.
pub(crate) struct Counting {
    meter: Meter,
    service: Service,
}

impl Counting {
    pub(crate) fn new(meter: &Meter, service: Service) -> Counting {
        Counting {
            meter: meter.clone(),
            service,
        }
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counting({:?})", self.service)
    }
}

impl Intercept for Counting {
    fn name(&self) -> &'static str {
        "Counting"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        add(&self.meter.0.requests[self.service as usize], 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_billed_in_steps() {
        let meter = Meter::default();
        meter.write(1, 0);
        meter.write(1024, 2);
        meter.write(1025, 0);
        meter.write_in_transaction(1025);
        meter.read(0, true);
        meter.read(4097, false);
        meter.queue_call(CHUNK_BYTES + 1, false);
        meter.queue_call(1, true);
        meter.event(1);
        let counts = meter.clone().counts();
        assert_eq!(counts.write_units, 1 + 3 + 2 + 4);
        assert!((counts.read_units - 2.0).abs() < 1e-9, "one unit, and two halves");
        assert_eq!(
            (counts.sqs_chunks, counts.sqs_fifo_chunks, counts.events),
            (2, 1, 1)
        );
    }
}
