//! The engine's thread: what it is made from, and its life.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use futures_util::FutureExt as _;
use orchestrator_core::ids::RunId;
use orchestrator_core::policy::Policy;
use orchestrator_core::sla::SlaSpec;
use orchestrator_engine::engine::{Engine, Options};
use orchestrator_engine::observe::Telemetry;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::sla::Tallies;
use orchestrator_engine::token::TokenKey;
use tokio::sync::broadcast;

use crate::agents::LocalCompute;
use crate::agents::compute::Setup;
use crate::clock::SystemClock;
use crate::host::input::{Inbox, Input};
use crate::host::journal::GroupJournal;
use crate::host::pools::LocalPools;
use crate::host::ports::{Broadcast, EmbeddedPorts, Outbox, StoreIndex};
use crate::host::sessions::Sessions;
use crate::host::{self, Change, Recovered};
use crate::sqlite::Store;
use crate::store::LossyStore;
use crate::webhook::Outgoing;

/// Tasks decided in one append.
const DECISIONS_MAX: usize = 256;

/// What the engine's thread is made from.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) setup: Setup,
    pub(crate) inbox: Inbox,
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) tokens: TokenKey,
    pub(crate) runs_per_client: Option<u32>,
    pub(crate) ageing_ms: u64,
    pub(crate) sla: SlaSpec,
    pub(crate) tallies: Tallies,
    pub(crate) webhook: Option<Outgoing>,
    pub(crate) active: Vec<RunId>,
    pub(crate) other_agents: Vec<RunId>,
    pub(crate) telemetry: Telemetry,
    pub(crate) cache: LossyStore,
    pub(crate) results_kept_ms: u64,
}

impl Parts {
    /// The life of the engine's thread.
    pub(crate) fn run(self, receiver: &Receiver<Input>, ready: &SyncSender<Recovered>) {
        let grace = Duration::from_millis(self.setup.limits.grace_ms);
        let dispatches = self.setup.dispatches;
        let store = Rc::new(RefCell::new(self.store));
        let outbox = Outbox::default();
        let tallies = Rc::new(RefCell::new(self.tallies));
        let ports = EmbeddedPorts {
            journal: GroupJournal::new(Rc::clone(&store), Rc::clone(&tallies)),
            index: StoreIndex(store),
            pools: LocalPools::new(self.policy.capacities().clone(), self.runs_per_client),
            compute: LocalCompute::new(self.setup, self.inbox.clone(), outbox.clone()),
            bus: Broadcast {
                sender: self.changes,
                events: Cell::new(0),
                tallies,
                webhook: self.webhook,
            },
            clock: SystemClock,
            sessions: Sessions::default(),
            cache: self.cache,
            outbox,
        };
        let options = Options {
            decides_in_turn: true,
            decisions_max: DECISIONS_MAX,
            ageing_ms: self.ageing_ms,
            sla: self.sla,
            results_kept_ms: self.results_kept_ms,
        };
        let tracer = self.telemetry.tracer.clone();
        let engine = Engine::new(ports, self.policy, self.tokens, options).watched_by(self.telemetry);
        let mut recovered = host::recover(&engine, self.active, dispatches)
            .now_or_never()
            .expect("loading waits for nothing on this host");
        recovered.other_agents = self.other_agents;
        if let Some(tracer) = tracer {
            let now = engine.ports().clock.now();
            host::resend(&engine, &tracer, &recovered.runs, now)
                .now_or_never()
                .expect("reading waits for nothing on this host");
        }
        // The starter waits for it, unless it has been killed meanwhile.
        let _ = ready.send(recovered);
        host::serve(&engine, self.inbox, receiver, grace);
    }
}
