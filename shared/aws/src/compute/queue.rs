//! Agents that take their tasks from a queue of their own.

use orchestrator_engine::ports::compute::Dispatch;

use crate::fault::Fault;
use crate::messages::send::Outgoing;

/// The message of an attempt. Agents see a repeated one again: they know it by run, task, epoch and attempt.
pub(super) fn outgoing(attempt: &Dispatch, text: String) -> Outgoing {
    let parent = attempt.envelope.traceparent.as_ref();
    Outgoing {
        body: text,
        group: None,
        deduplication: None,
        delay_seconds: 0,
        traceparent: parent.map(|parent| parent.text().into_owned()),
    }
}

/// Whether there is no such queue.
pub(super) fn is_missing(fault: &Fault) -> bool {
    ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"]
        .iter()
        .any(|code| fault.detail.starts_with(code))
}
