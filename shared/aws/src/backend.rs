//! The deployment behind the HTTP API.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::policy::Policy;
use orchestrator_core::pool::PoolUsage;
use orchestrator_core::run::{Command, Report};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::api::backend::{Logs, PoolStats, Stats, TelemetryStats};
use orchestrator_engine::api::{self, Backend, Code, Intake, Problem};
use orchestrator_engine::engine::Engine;
use orchestrator_engine::error::{Error, HostError};
use orchestrator_engine::metrics::{Counts, Snapshot};
use orchestrator_engine::ports::idempotency::{Claim, Claimed};
use orchestrator_engine::ports::messages::Body;
use orchestrator_engine::ports::{Cache as _, Clock, Idempotency, Ports, RateLimits};
use orchestrator_engine::submit::Request;
use orchestrator_engine::token::TokenKey;
use orchestrator_engine::trace::Tracer;
use orchestrator_engine::translation::later::{self, Known};
use orchestrator_engine::translation::{self, Job, Soon, Translated, desk};
use orchestrator_engine::views::{LeaseView, PoolList, PoolView, SlaStats, SlaView};
use orchestrator_translate::{Translator, TranslatorError};

use crate::clock::SystemClock;
use crate::fault::Fault;
use crate::host::AwsHost;
use crate::pools::PoolLeases;
use crate::store::Store;
use crate::translations::{self, TranslationDesk};

/// Runs read to name the tasks that hold slots or wait for them; those of further runs are not named.
const RUNS_NAMED_MAX: usize = 20;

/// A deployment as the API sees it. Cheap to clone.
#[derive(Debug)]
pub struct AwsBackend<T> {
    engine: Arc<Engine<AwsHost>>,
    intake: Intake,
    desk: TranslationDesk<T>,
    translations_queue: Option<String>,
    service_name: Option<String>,
    started_at: Timestamp,
}

impl<T> Clone for AwsBackend<T> {
    fn clone(&self) -> Self {
        AwsBackend {
            engine: Arc::clone(&self.engine),
            intake: self.intake.clone(),
            desk: self.desk.clone(),
            translations_queue: self.translations_queue.clone(),
            service_name: self.service_name.clone(),
            started_at: self.started_at,
        }
    }
}

/// What a backend is told about its deployment.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// URL of the queue of translations, where a model translates.
    pub translations_queue: Option<String>,
    /// The name of the service in traces, if they are exported.
    pub service_name: Option<String>,
}

impl<T: Translator> AwsBackend<T> {
    /// Puts the engine behind the API.
    pub fn new(
        engine: Arc<Engine<AwsHost>>,
        intake: Intake,
        desk: TranslationDesk<T>,
        place: Place,
    ) -> AwsBackend<T> {
        AwsBackend {
            engine,
            intake,
            desk,
            translations_queue: place.translations_queue,
            service_name: place.service_name,
            started_at: SystemClock.now(),
        }
    }

    /// Adds what the desk has counted to the figures of all functions.
    pub fn count_translations(&self) {
        self.engine.ports().figures.count(self.desk.drain().flatten());
    }

    /// Names of the attempts' tasks.
    async fn names(
        &self,
        keys: impl Iterator<Item = AttemptKey>,
    ) -> Result<BTreeMap<AttemptKey, String>, HostError> {
        let mut by_run: BTreeMap<RunId, Vec<AttemptKey>> = BTreeMap::new();
        for key in keys.filter(|key| !key.is_admission()) {
            by_run.entry(key.run).or_default().push(key);
        }
        let mut names = BTreeMap::new();
        for (run, keys) in by_run.into_iter().take(RUNS_NAMED_MAX) {
            // A run that cannot be read now leaves its tasks without names.
            if let Ok(session) = self.engine.load(run).await {
                let state = session.state();
                names.extend(keys.into_iter().filter_map(|key| {
                    state.get(key.node)?;
                    Some((key, state.name_of(key.node)))
                }));
            }
        }
        Ok(names)
    }
}

impl<T: Translator> Backend for AwsBackend<T> {
    type Journal = Store;
    type RunIndex = Store;

    fn journal(&self) -> &Store {
        self.engine.ports().journal()
    }

    fn run_index(&self) -> &Store {
        self.engine.ports().run_index()
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn new_run_id(&self) -> RunId {
        SystemClock.new_run_id()
    }

    fn policy(&self) -> &Policy {
        self.engine.policy()
    }

    fn tokens(&self) -> Option<&TokenKey> {
        Some(self.engine.tokens())
    }

    fn intake(&self) -> &Intake {
        &self.intake
    }

    fn tracer(&self) -> Option<&Tracer> {
        self.engine.telemetry().tracer.as_deref()
    }

    async fn submit(&self, request: Request) -> Result<(), Error> {
        self.engine.submit(request).await
    }

    async fn operate(&self, run: RunId, command: Command) -> Result<(), Error> {
        self.engine.operate(run, command).await
    }

    async fn report(&self, run: RunId, report: Report) -> Result<(), Error> {
        self.engine.handle(run, &[Body::Reports(vec![report])]).await
    }

    async fn pools(&self) -> Result<PoolList, HostError> {
        let pools = self.engine.ports().pools.look(PoolView::SHOWN_MAX).await?;
        let shown = pools
            .iter()
            .flat_map(|pool| pool.holders.iter().chain(&pool.waiters));
        let names = self.names(shown.copied()).await?;
        let leases = |keys: &[AttemptKey]| {
            let lease = |key: &AttemptKey| LeaseView {
                run_id: key.run,
                task: names.get(key).cloned(),
                epoch: key.epoch,
                attempt: key.attempt,
            };
            keys.iter().map(lease).collect()
        };
        let view = pools
            .iter()
            .map(|pool| PoolView::of(&pool.usage, leases(&pool.holders), leases(&pool.waiters)));
        Ok(PoolList {
            pools: view.collect(),
        })
    }

    /// What all functions have counted; `uptime_seconds` is this process's.
    async fn stats(&self) -> Result<Option<Stats>, HostError> {
        let ports = self.engine.ports();
        let of_figures = |fault: Fault| fault.in_part("the figures");
        let counts = ports.figures.counts().await.map_err(of_figures)?;
        let tallies = ports.figures.tallies().await.map_err(of_figures)?;
        let late = ports.store.late(None, self.now()).await?;
        let pools = ports.pools.look(0).await?;
        let pool = |pool: &PoolLeases| {
            let PoolUsage {
                capacity,
                used,
                waiting,
                ..
            } = pool.usage;
            let numbers = PoolStats {
                capacity,
                used,
                waiting,
            };
            (pool.usage.pool.clone(), numbers)
        };
        let counted = Snapshot::of(&Counts::unflatten(&counts));
        let translated = desk::Counts::unflatten(&counts);
        Ok(Some(Stats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.now().millis_since(self.started_at) / 1_000,
            policy_version: self.policy().version().to_owned(),
            runs_active: counted.runs_active(),
            attempts_live: None,
            appends: counted.journal.appends,
            events: counted.journal.events,
            commits: counted.journal.appends,
            telemetry: TelemetryStats {
                enabled: self.service_name.is_some(),
                service_name: self.service_name.clone(),
                ..TelemetryStats::default()
            },
            counted,
            cache: translated.lookups,
            results_kept: None,
            // How many answers are remembered, nobody knows without reading all of them.
            translation: translated.stats,
            pools: pools.iter().map(pool).collect(),
            sla: SlaStats {
                active: late.len() as u64,
                attempts: tallies.values().map(|tally| tally.attempts).sum(),
                within: tallies.values().map(|tally| tally.within).sum(),
            },
            memory_peak_bytes: None,
        }))
    }

    async fn sla(&self, client_id: Option<&str>, limit: u32) -> Result<SlaView, HostError> {
        self.engine.ports().store.sla(client_id, limit, self.now()).await
    }

    /// What agents print stays where they run: with their consumer, or in the log group of their job.
    async fn logs(&self, _key: AttemptKey, _task: &str, _bytes_max: u64) -> Result<Option<Logs>, HostError> {
        Ok(None)
    }

    async fn translate(&self, request: &translation::Request) -> Result<Translated, TranslatorError> {
        // On the heap: whatever a model's client does would be part of the type of everything that may translate.
        Box::pin(self.desk.translate(request, &self.intake, self.policy())).await
    }

    async fn translate_soon(&self, request: &translation::Request, token: RunId) -> Result<Soon, Problem> {
        if !self.desk.asks_elsewhere() {
            return Ok(Soon::Now(Box::new(self.translate(request).await?)));
        }
        let memo = self.desk.key(request, &self.intake, self.policy());
        let remembered = match request.is_fresh {
            true => None,
            false => self.desk.recall(&memo).await,
        };
        if let Some(remembered) = remembered {
            return Ok(Soon::Now(Box::new(remembered)));
        }
        // Refused here rather than in a record that somebody has to look at.
        self.desk.admit(&request.client_id).await?;
        let store = &self.engine.ports().kept;
        match later::look(store, &memo, token, request.is_fresh, self.now()).await? {
            Known::Nothing => Ok(Soon::Later),
            Known::Under(token) => {
                self.desk.note_shared();
                Ok(Soon::Under(token))
            }
            Known::Ended(record) => match (record.translated, record.error) {
                (Some(translated), _) => {
                    self.desk.note_shared();
                    Ok(Soon::Now(Box::new(translated.shared())))
                }
                (None, error) => {
                    let detail = error.unwrap_or_else(|| "it ended without an answer".to_owned());
                    Err(Problem::new(Code::TranslatorDown, detail).retry_after(later::ENDED_MS / 1_000))
                }
            },
        }
    }

    async fn translate_later(&self, job: Job) -> Result<(), Problem> {
        match self.desk.asks_elsewhere() {
            true => {
                let queue = self.translations_queue.as_deref();
                Ok(translations::send(self.engine.ports(), queue, &job).await?)
            }
            false => api::later::work(self, job).await,
        }
    }

    async fn keep(&self, key: &str, value: &[u8], until: Timestamp) -> Result<(), HostError> {
        self.engine.ports().kept.put(key, value, self.now(), until).await
    }

    async fn kept(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.engine.ports().kept.get(key, self.now()).await
    }

    /// The table forgets by itself; nobody reads all of it to find out what is in it.
    async fn forget_memos(&self) -> Result<Option<u64>, HostError> {
        Ok(None)
    }

    /// See [`Backend::forget_memos`]: results expire.
    async fn forget_results(&self) -> Result<Option<u64>, HostError> {
        Ok(None)
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, HostError> {
        self.engine.ports().idempotency.claim(claim).await
    }

    async fn take_token(&self, client_id: &str) -> Result<Option<u64>, HostError> {
        let now = self.now();
        self.engine.ports().rate_limits.take(client_id, now).await
    }
}
