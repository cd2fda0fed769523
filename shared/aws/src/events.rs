//! Telling the world what happened, on EventBridge.
//!
//! An event costs as much as a write of two short appends, so only those are published that others wait for: see
//! [`PublishedEvents`]. The detail is the event as the HTTP API shows it, with `run_id`, `workflow` and `run_status`.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use orchestrator_core::run::Event;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::EventBus;
use orchestrator_engine::ports::event_bus::Committed;
use orchestrator_engine::sla::observations;
use orchestrator_engine::views::{AlertType, AlertView, EventView, Step, event_name};
use serde_json::{Value, json};

use crate::clock::jitter;
use crate::env::PublishedEvents;
use crate::fault::{Fault, Kind};
use crate::figures::Figures;
use crate::meter::Meter;

/// The source of every event.
pub const SOURCE: &str = "master-orchestrator";

/// Entries in one call.
const ENTRIES_MAX: usize = 10;
/// Tries of an entry that was refused.
const TRIES_MAX: u32 = 4;
/// Longest detail; what does not fit loses its data, not its meaning.
const DETAIL_BYTES_MAX: usize = 200 * 1024;

/// The event bus, if there is one.
#[derive(Debug, Clone)]
pub struct Events {
    client: Client,
    meter: Meter,
    bus: Option<String>,
    published: PublishedEvents,
    figures: Figures,
}

impl Events {
    /// Publishes to `bus`; nothing without one. Attempts that ended are noted in `figures`.
    pub fn new(
        client: Client,
        meter: Meter,
        bus: Option<String>,
        published: PublishedEvents,
        figures: Figures,
    ) -> Events {
        Events {
            client,
            meter,
            bus,
            published,
            figures,
        }
    }

    /// Sends the entries, those that were refused again, and only those.
    async fn put(&self, mut entries: Vec<PutEventsRequestEntry>) -> Result<(), Fault> {
        let mut refused = String::new();
        for tried in 0..TRIES_MAX {
            if tried > 0 {
                tokio::time::sleep(jitter(50 << tried)).await;
            }
            let request = self.client.put_events().set_entries(Some(entries.clone()));
            let output = request.send().await.map_err(|error| Fault::of(&error))?;
            if output.failed_entry_count == 0 {
                return Ok(());
            }
            let mut results = output.entries.unwrap_or_default().into_iter();
            entries.retain(|_| {
                let result = results.next();
                let code = result.and_then(|result| result.error_code);
                code.map(|code| refused = code).is_some()
            });
        }
        Err(Fault {
            kind: Kind::Throttled,
            detail: format!("{} events were refused: {refused}", entries.len()),
        })
    }
}

impl EventBus for Events {
    async fn publish(&self, committed: Committed<'_>) -> Result<(), HostError> {
        if !committed.is_repeat {
            for observation in observations(committed.events, committed.at, committed.state) {
                self.figures.observe(&observation);
            }
        }
        let Some(bus) = &self.bus else { return Ok(()) };
        let mut entries = Vec::new();
        for (index, event) in committed.events.iter().enumerate() {
            if !is_published(event, self.published) {
                continue;
            }
            let detail = detail(&committed, index, event).to_string();
            self.meter.event(detail.len());
            entries.push(
                PutEventsRequestEntry::builder()
                    .event_bus_name(bus)
                    .source(SOURCE)
                    .detail_type(detail_type(event))
                    .resources(format!("run/{}", committed.run))
                    .detail(detail)
                    .build(),
            );
        }
        for batch in entries.chunks(ENTRIES_MAX) {
            let put = self.put(batch.to_vec()).await;
            put.map_err(|fault| fault.in_part("the event bus"))?;
        }
        Ok(())
    }
}

/// Alerts have names of their own; every other event is named as the API names it.
fn detail_type(event: &Event) -> &'static str {
    AlertType::of(event).map_or_else(|| event_name(event), AlertType::as_str)
}

fn is_published(event: &Event, published: PublishedEvents) -> bool {
    match event {
        Event::RunSubmitted(_)
        | Event::RunAdmitted
        | Event::RunPaused { .. }
        | Event::RunResumed { .. }
        | Event::RunCancelled { .. }
        | Event::RunSucceeded
        | Event::RunFailed
        | Event::RunReopened { .. }
        | Event::RolledBack { .. }
        | Event::RollbackStopped { .. }
        | Event::SlaWarned { .. }
        | Event::SlaBreached { .. }
        | Event::SlaResolved { .. } => true,
        Event::TaskSucceeded { .. }
        | Event::TaskReused { .. }
        | Event::GroupSucceeded { .. }
        | Event::AttemptFailed { .. }
        | Event::TaskFailed { .. }
        | Event::TaskSkipped { .. }
        | Event::TaskCancelled { .. } => published != PublishedEvents::Run,
        _ => published == PublishedEvents::All,
    }
}

fn detail(committed: &Committed<'_>, index: usize, event: &Event) -> Value {
    if let Some(alert) = AlertView::of(event, committed.at, committed.state) {
        return serde_json::to_value(alert).expect("an alert is plain data");
    }
    let view = EventView::of(Step {
        seq: committed.seq,
        index,
        at: committed.at,
        event,
        state: committed.state,
    });
    let mut detail = serde_json::to_value(view).expect("a view is plain data");
    if detail.to_string().len() > DETAIL_BYTES_MAX {
        detail = json!({"seq": committed.seq, "index": index, "type": event_name(event), "truncated": true});
    }
    detail["run_id"] = json!(committed.run);
    detail["workflow"] = json!(committed.state.workflow.name);
    detail["run_status"] = json!(committed.status);
    if let Some(turn) = committed.turn {
        detail["traceparent"] = json!(turn.context().traceparent());
    }
    detail
}
