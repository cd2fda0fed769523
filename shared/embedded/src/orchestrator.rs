//! The embedded orchestrator as its host sees it.

use std::path::PathBuf;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use orchestrator_core::ids::RunId;
use orchestrator_core::policy::Policy;
use orchestrator_core::run::{Command, Report, RunState};
use orchestrator_engine::api::backend;
use orchestrator_engine::error::{Error, HostError};
use orchestrator_engine::metrics::{Metrics, Snapshot};
use orchestrator_engine::observe::Telemetry;
use orchestrator_engine::ports::Idempotency;
use orchestrator_engine::ports::idempotency::{Claim, Claimed};
use orchestrator_engine::settings;
use orchestrator_engine::sla::Tallies;
use orchestrator_engine::submit::Request;
use orchestrator_engine::token::TokenKey;
use orchestrator_engine::trace::Tracer;
use tokio::sync::{Semaphore, broadcast, oneshot};

use crate::agents::compute::Setup;
use crate::agents::kill_orphans;
use crate::data_dir::{DataDir, DataDirError, Owner, Ownership};
use crate::exporter::{Exporter, Numbers, Traces};
use crate::host::input::{Inbox, Input};
use crate::host::{Change, PoolView, Recovered, Stats, Watched};
use crate::options::{StartOptions, TakesUp};
use crate::parts::Parts;
use crate::reader::Reader;
use crate::sqlite::{ActiveRun, Store, StoreError};
use crate::store::LossyStore;
use crate::webhook::Outgoing;

/// The orchestrator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database in it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory of the agents.
    #[error("cannot use '{}' as the agents' working directory: {error} (it must exist)", dir.display())]
    BaseDir {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The engine's thread.
    #[error("cannot start the engine's thread: {0} (raise the limits of the system)")]
    Thread(std::io::Error),
}

/// Owns a data directory and every run in it. Stops when dropped; share it in an `Arc`.
#[derive(Debug)]
pub struct Orchestrator {
    inbox: Inbox,
    /// Requests under way; bounds the inbox.
    requests: Semaphore,
    changes: broadcast::Sender<Change>,
    reader: Reader,
    policy: Arc<Policy>,
    tokens: TokenKey,
    recovered: Recovered,
    traces: Option<Traces>,
    metrics: Arc<Metrics>,
    cache: LossyStore,
    ownership: Ownership,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Requests answered at a time; further ones wait.
const REQUESTS_MAX: usize = 10_000;
/// Changes a subscriber may be behind before it misses some.
const CHANGES_MAX: usize = 4_096;

impl Orchestrator {
    /// Takes the data directory and starts the engine on it; unfinished runs go on. Blocks until they are loaded.
    ///
    /// # Errors
    /// When the directory is in use or its content cannot be read.
    pub fn start(options: StartOptions) -> Result<Orchestrator, StartError> {
        let ownership = DataDir::new(&options.data_dir).own()?;
        let dir = ownership.dir().clone();
        let tokens = TokenKey::new(ownership.secret()?);
        let orphans = kill_orphans(dir.root(), None);
        if orphans > 0 {
            tracing::warn!(
                orphans,
                "processes of agents that a previous owner left behind were killed"
            );
        }
        let mut store = Store::open(&dir.database())?;
        let reader = Reader::on(dir.clone())?;
        let base = std::fs::canonicalize(&options.base_dir).map_err(|error| StartError::BaseDir {
            dir: options.base_dir.clone(),
            error,
        })?;
        let agents = settings::digest(&options.agents, &base);
        let mut active = Vec::new();
        let mut other_agents = Vec::new();
        for ActiveRun {
            run,
            agents: began_with,
        } in store.active()?
        {
            let is_other = options.dispatches && began_with.is_some_and(|digest| digest != agents);
            if is_other {
                other_agents.push(run);
            }
            if !is_other || options.takes_up == TakesUp::KnownAgents {
                active.push(run);
            }
        }
        store.begin_with(agents);
        let tallies = Tallies::restore(store.tallies()?);
        let to_send = match options.webhook {
            Some(_) => {
                store.send_alerts();
                store.to_send()?
            }
            None => Vec::new(),
        };
        let setup = Setup {
            data_dir: dir.root().to_owned(),
            runs: dir.runs(),
            base,
            agents: options.agents,
            limits: options.limits,
            dispatches: options.dispatches,
            path: options.path,
        };
        let metrics = Arc::<Metrics>::default();
        let cache = LossyStore::new(dir.root());
        let (sender, receiver) = channel();
        let inbox = Inbox::new(sender);
        let numbers = numbers(inbox.clone(), reader.clone(), Arc::clone(&metrics));
        let traces = options.export.map(|export| Traces::start(export, numbers));
        let webhook = options
            .webhook
            .map(|webhook| Outgoing::start(webhook, inbox.clone()))
            .transpose()
            .map_err(StartError::Thread)?;
        if let Some(webhook) = &webhook {
            to_send.into_iter().for_each(|(id, body)| webhook.send(id, body));
        }
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        let parts = Parts {
            store,
            setup,
            inbox: inbox.clone(),
            changes: changes.clone(),
            policy: Arc::clone(&options.policy),
            tokens: tokens.clone(),
            runs_per_client: options.runs_per_client,
            ageing_ms: options.ageing_ms,
            sla: options.sla,
            tallies,
            webhook,
            active,
            other_agents,
            telemetry: Telemetry {
                tracer: traces.as_ref().map(|traces| Arc::clone(&traces.tracer)),
                metrics: Arc::clone(&metrics),
            },
            cache: cache.clone(),
            results_kept_ms: options.results_kept_ms,
        };
        let (ready, is_ready) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || parts.run(&receiver, &ready))
            .map_err(StartError::Thread)?;
        let recovered = is_ready
            .recv()
            .map_err(|_| StartError::Thread(std::io::Error::other("it panicked while it loaded the runs")))?;
        Ok(Orchestrator {
            inbox,
            requests: Semaphore::new(REQUESTS_MAX),
            changes,
            reader,
            policy: options.policy,
            tokens,
            recovered,
            traces,
            metrics,
            cache,
            ownership,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// What was found at the start.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// What may be lost: remembered translations and kept results.
    pub fn cache(&self) -> &LossyStore {
        &self.cache
    }

    /// The policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The key that signs task tokens.
    pub fn tokens(&self) -> &TokenKey {
        &self.tokens
    }

    /// Who records spans; `None`: there are no traces.
    pub fn tracer(&self) -> Option<&Tracer> {
        Some(&*self.traces.as_ref()?.tracer)
    }

    /// Who sends them.
    pub fn exporter(&self) -> Option<&Exporter> {
        Some(&*self.traces.as_ref()?.exporter)
    }

    /// What has been counted since the start.
    pub fn counted(&self) -> Snapshot {
        self.metrics.snapshot()
    }

    /// The data directory.
    pub fn data_dir(&self) -> &DataDir {
        self.ownership.dir()
    }

    /// Reads beside the engine.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Stores a run and starts it. Durable when it returns. A run that exists already is left as it is.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn submit(&self, request: Request) -> Result<(), Error> {
        self.ask(|reply| Input::Submit(Box::new(request), reply)).await?
    }

    /// Carries out an operator's command. Durable when it returns.
    ///
    /// # Errors
    /// When the run refuses it, or cannot be read or written.
    pub async fn operate(&self, run: RunId, command: Command) -> Result<(), Error> {
        self.ask(|reply| Input::Operate(run, command, reply)).await?
    }

    /// Passes on what agents said. Durable when it returns.
    ///
    /// # Errors
    /// When the run cannot be read or written.
    pub async fn report(&self, run: RunId, reports: Vec<Report>) -> Result<(), Error> {
        self.ask(|reply| Input::Report(run, reports, reply)).await?
    }

    /// Looks at a run in memory, between two turns: the state and the number of its appends. `None` when the run is not
    /// loaded: it has ended, or there is none.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn look<T: Send + 'static>(
        &self,
        run: RunId,
        look: impl FnOnce(&RunState, u64) -> T + Send + 'static,
    ) -> Result<Option<T>, HostError> {
        let look = |reply: oneshot::Sender<Option<T>>| {
            let look = move |run: Option<(&RunState, u64)>| {
                drop(reply.send(run.map(|(state, seq)| look(state, seq))));
            };
            Input::Look(run, Box::new(look))
        };
        self.ask(look).await
    }

    /// Every pool with its holders and waiters, sorted by name.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn pools(&self) -> Result<Vec<PoolView>, HostError> {
        self.ask(Input::Pools).await
    }

    /// What the host has done since it started.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn stats(&self) -> Result<Stats, HostError> {
        self.ask(Input::Stats).await
    }

    /// What the runs of one client in memory tell about deadlines, or those of all.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn watch(&self, client: Option<String>) -> Result<Watched, HostError> {
        self.ask(|reply| Input::Watch(client, reply)).await
    }

    /// Changes of runs from now on. A subscriber that is too slow misses some and is told so; the journals have them.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Tells other processes where the API of this one is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&self, owner: &Owner) -> Result<(), DataDirError> {
        self.ownership.announce(owner)
    }

    /// Finishes what is being stored, ends the agents, and gives the data directory back. Unfinished runs go on with the
    /// next owner. Blocks; requests under way fail.
    pub fn stop(&self) {
        self.inbox.send(Input::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the engine's thread had panicked");
        }
        if let Some(exporter) = self.exporter() {
            exporter.stop();
        }
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Result<T, HostError> {
        let stopped = || HostError {
            what: "the engine",
            detail: "it has stopped".to_owned(),
        };
        let _permit = self.requests.acquire().await.map_err(|_| stopped())?;
        let (sender, receiver) = oneshot::channel();
        self.inbox.send(input(sender));
        receiver.await.map_err(|_| stopped())
    }
}

/// The numbers of this host, for whoever exports them. What the engine knows is missing once it has stopped.
fn numbers(inbox: Inbox, reader: Reader, metrics: Arc<Metrics>) -> Numbers {
    Box::new(move || {
        let mut numbers = backend::Stats {
            counted: metrics.snapshot(),
            ..backend::Stats::default()
        };
        let (reply, stats) = oneshot::channel();
        inbox.send(Input::Stats(reply));
        let (reply, pools) = oneshot::channel();
        inbox.send(Input::Pools(reply));
        if let Ok(stats) = stats.blocking_recv() {
            numbers.runs_active = stats.runs_loaded as u64;
            numbers.attempts_live = Some(stats.attempts_live as u64);
            numbers.commits = stats.commits;
        }
        if let Ok(pools) = pools.blocking_recv() {
            numbers.pools = pools.iter().map(PoolView::numbers).collect();
        }
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() {
            numbers.sla = runtime.block_on(reader.sla_stats()).unwrap_or_default();
        }
        numbers
    })
}

impl Idempotency for Orchestrator {
    /// Durable when it returns.
    async fn claim(&self, claim: Claim) -> Result<Claimed, HostError> {
        self.ask(|reply| Input::Claim(claim, reply)).await?
    }
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        self.stop();
    }
}
