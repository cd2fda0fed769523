//! The ports of the embedded host, put together. All of them live on the engine's thread, but for the cache.

use std::cell::RefCell;
use std::rc::Rc;

use orchestrator_core::ids::RunId;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::event_bus::Committed;
use orchestrator_engine::ports::messages::Message;
use orchestrator_engine::ports::run_index::{RunQuery, RunSummary};
use orchestrator_engine::ports::{EventBus, Messages, Ports, RunIndex};
use orchestrator_engine::sla::{Tallies, observations};
use orchestrator_engine::trace::run::trace_id_of;
use orchestrator_engine::views::{AlertType, AlertView};
use tokio::sync::broadcast;

use super::Change;
use super::journal::GroupJournal;
use super::pools::LocalPools;
use super::sessions::Sessions;
use crate::agents::LocalCompute;
use crate::clock::SystemClock;
use crate::sqlite::{Store, StoreError};
use crate::store::LossyStore;
use crate::webhook::Outgoing;

/// Everything the engine needs.
pub(crate) struct EmbeddedPorts {
    pub journal: GroupJournal,
    pub index: StoreIndex,
    pub outbox: Outbox,
    pub pools: LocalPools,
    pub compute: LocalCompute,
    pub bus: Broadcast,
    pub clock: SystemClock,
    pub sessions: Sessions,
    pub cache: LossyStore,
}

impl Ports for EmbeddedPorts {
    type Journal = GroupJournal;
    type RunIndex = StoreIndex;
    type Messages = Outbox;
    type Pools = LocalPools;
    type Compute = LocalCompute;
    type EventBus = Broadcast;
    type Clock = SystemClock;
    type SessionCache = Sessions;
    type Cache = LossyStore;

    fn journal(&self) -> &GroupJournal {
        &self.journal
    }

    fn run_index(&self) -> &StoreIndex {
        &self.index
    }

    fn messages(&self) -> &Outbox {
        &self.outbox
    }

    fn pools(&self) -> &LocalPools {
        &self.pools
    }

    fn compute(&self) -> &LocalCompute {
        &self.compute
    }

    fn event_bus(&self) -> &Broadcast {
        &self.bus
    }

    fn clock(&self) -> &SystemClock {
        &self.clock
    }

    fn session_cache(&self) -> &Sessions {
        &self.sessions
    }

    fn cache(&self) -> &LossyStore {
        &self.cache
    }
}

/// Messages of the engine to itself: routed by the loop, never through a thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outbox(Rc<RefCell<Vec<Message>>>);

impl Outbox {
    pub(crate) fn push(&self, message: Message) {
        self.0.borrow_mut().push(message);
    }

    pub(crate) fn take(&self) -> Vec<Message> {
        self.0.take()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

impl Messages for Outbox {
    async fn send(&self, messages: Vec<Message>) -> Result<(), HostError> {
        self.0.borrow_mut().extend(messages);
        Ok(())
    }
}

/// The index of runs, on the write connection.
#[derive(Debug)]
pub(crate) struct StoreIndex(pub Rc<RefCell<Store>>);

impl RunIndex for StoreIndex {
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>, HostError> {
        self.0.borrow().summary(run).map_err(StoreError::into_host)
    }

    async fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, HostError> {
        self.0.borrow().list(query).map_err(StoreError::into_host)
    }
}

/// Tells subscribers in this process; slow ones miss messages and read the journal instead.
#[derive(Debug)]
pub(crate) struct Broadcast {
    pub sender: broadcast::Sender<Change>,
    pub events: std::cell::Cell<u64>,
    pub tallies: Rc<RefCell<Tallies>>,
    /// Where alerts are sent, if anywhere.
    pub webhook: Option<Outgoing>,
}

impl Broadcast {
    /// Says an alert in the log, and hands it to whoever sends it.
    fn alert(&self, alert: AlertView, trace_id: &str) {
        let AlertView {
            run_id,
            task,
            attempt,
            text,
            ..
        } = &alert;
        let (kind, task_id) = (alert.kind.as_str(), task.as_deref().unwrap_or("-"));
        match alert.kind {
            AlertType::SlaResolved => tracing::info!(%run_id, task_id, attempt, trace_id, kind, "{text}"),
            _ => tracing::warn!(%run_id, task_id, attempt, trace_id, kind, "{text}"),
        }
        if let Some(webhook) = &self.webhook {
            let body = serde_json::to_string(&alert).unwrap_or_default();
            webhook.send(alert.id, body);
        }
    }
}

impl EventBus for Broadcast {
    async fn publish(&self, committed: Committed<'_>) -> Result<(), HostError> {
        self.events.set(self.events.get() + committed.events.len() as u64);
        let mut tallies = self.tallies.borrow_mut();
        for observation in observations(committed.events, committed.at, committed.state) {
            tallies.add(&observation);
        }
        for event in committed
            .events
            .iter()
            .filter(|event| event.alert_key().is_some())
        {
            if let Some(alert) = AlertView::of(event, committed.at, committed.state) {
                let trace_id = trace_id_of(&committed.state.submission).to_string();
                self.alert(alert, &trace_id);
            }
        }
        // Without subscribers there is nobody to tell.
        let _ = self.sender.send(Change {
            run: committed.run,
            seq: committed.seq,
            status: committed.status,
            has_ended: committed.status.is_terminal(),
        });
        Ok(())
    }
}
