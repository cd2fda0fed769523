//! The embedded host behind the HTTP API.

mod read_only;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_core::guard::RateLimits;
use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::policy::Policy;
use orchestrator_core::run::{Command, Report, RunState};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::api::backend::{Logs, Stats, TranslationStats};
use orchestrator_engine::api::{Backend, Code, Intake, Problem, later};
use orchestrator_engine::error::{Error, HostError};
use orchestrator_engine::ports::idempotency::{Claim, Claimed};
use orchestrator_engine::ports::{Cache as _, Clock as _, Idempotency as _, RateLimits as _};
use orchestrator_engine::results;
use orchestrator_engine::settings::Budget;
use orchestrator_engine::submit::Request;
use orchestrator_engine::token::TokenKey;
use orchestrator_engine::trace::Tracer;
use orchestrator_engine::translation::desk::MEMO_PREFIX;
use orchestrator_engine::translation::{self, Job, Translated};
use orchestrator_engine::views::{LeaseView, PoolList, PoolView, Replay, SlaView};
use orchestrator_translate::TranslatorError;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::agents::files::LogError;
use crate::clock::SystemClock;
use crate::exporter::Exporter;
use crate::host::{Change, Watched};
use crate::orchestrator::Orchestrator;
use crate::rate_limits::LocalRateLimits;
use crate::reader::Reader;
use crate::store::LossyStore;
use crate::translation::{AnyTranslator, Places, Translations};

pub use read_only::ReadOnlyBackend;

/// An [`Orchestrator`] as the API sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HostBackend {
    hosted: Arc<Hosted>,
    intake: Arc<Intake>,
    is_limited: bool,
}

#[derive(Debug)]
struct Hosted {
    orchestrator: Orchestrator,
    store: LossyStore,
    translations: Translations,
    places: Places,
    rate_limits: LocalRateLimits,
    started_at: Timestamp,
}

impl HostBackend {
    /// Puts an orchestrator behind the API.
    pub fn new(orchestrator: Orchestrator, intake: Intake, rate_limits: RateLimits) -> HostBackend {
        HostBackend::translating(
            orchestrator,
            intake,
            rate_limits,
            AnyTranslator::Offline,
            Budget::default(),
        )
    }

    /// The same with another translator than the offline one.
    pub fn translating(
        orchestrator: Orchestrator,
        intake: Intake,
        rate_limits: RateLimits,
        translator: AnyTranslator,
        budget: Budget,
    ) -> HostBackend {
        let store = orchestrator.cache().clone();
        let hosted = Hosted {
            orchestrator,
            translations: translator.desk(budget, store.clone()),
            places: Places::default(),
            store,
            rate_limits: LocalRateLimits::new(rate_limits),
            started_at: SystemClock.now(),
        };
        HostBackend {
            hosted: Arc::new(hosted),
            intake: Arc::new(intake),
            is_limited: true,
        }
    }

    /// The same orchestrator for its own process: with other bounds on documents, and as many requests as it likes.
    pub fn for_own_process(&self, intake: Intake) -> HostBackend {
        HostBackend {
            hosted: Arc::clone(&self.hosted),
            intake: Arc::new(intake),
            is_limited: false,
        }
    }

    /// The orchestrator.
    pub fn orchestrator(&self) -> &Orchestrator {
        &self.hosted.orchestrator
    }

    /// Changes of runs from now on.
    pub fn subscribe(&self) -> Changes {
        Changes(self.hosted.orchestrator.subscribe())
    }

    /// Names of the attempts' tasks, asked of each run once.
    async fn names(&self, keys: &[AttemptKey]) -> Result<BTreeMap<AttemptKey, String>, HostError> {
        let mut by_run: BTreeMap<RunId, Vec<AttemptKey>> = BTreeMap::new();
        for key in keys.iter().filter(|key| !key.is_admission()) {
            by_run.entry(key.run).or_default().push(*key);
        }
        let mut names = BTreeMap::new();
        for (run, keys) in by_run {
            let look = move |state: &RunState, _| {
                let name = |key: AttemptKey| (key, state.name_of(key.node));
                keys.into_iter().map(name).collect::<Vec<_>>()
            };
            names.extend(
                self.hosted
                    .orchestrator
                    .look(run, look)
                    .await?
                    .unwrap_or_default(),
            );
        }
        Ok(names)
    }
}

impl Backend for HostBackend {
    type Journal = Reader;
    type RunIndex = Reader;

    fn journal(&self) -> &Reader {
        self.hosted.orchestrator.reader()
    }

    fn run_index(&self) -> &Reader {
        self.hosted.orchestrator.reader()
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn new_run_id(&self) -> RunId {
        SystemClock.new_run_id()
    }

    fn policy(&self) -> &Policy {
        self.hosted.orchestrator.policy()
    }

    fn tokens(&self) -> Option<&TokenKey> {
        Some(self.hosted.orchestrator.tokens())
    }

    fn intake(&self) -> &Intake {
        &self.intake
    }

    fn tracer(&self) -> Option<&Tracer> {
        self.hosted.orchestrator.tracer()
    }

    async fn submit(&self, request: Request) -> Result<(), Error> {
        self.hosted.orchestrator.submit(request).await
    }

    async fn operate(&self, run: RunId, command: Command) -> Result<(), Error> {
        self.hosted.orchestrator.operate(run, command).await
    }

    async fn report(&self, run: RunId, report: Report) -> Result<(), Error> {
        self.hosted.orchestrator.report(run, vec![report]).await
    }

    async fn inspect<T: Send + 'static>(
        &self,
        run: RunId,
        look: impl FnOnce(&RunState, u64) -> T + Send + 'static,
    ) -> Result<T, Error> {
        // Whichever of the two gets to see the run takes the closure.
        let look = Arc::new(Mutex::new(Some(look)));
        let take = |look: &Mutex<Option<_>>| look.lock().unwrap_or_else(PoisonError::into_inner).take();
        let in_memory = Arc::clone(&look);
        let see = move |state: &RunState, seq| take(&in_memory).map(|look| look(state, seq));
        if let Some(Some(seen)) = self.hosted.orchestrator.look(run, see).await? {
            return Ok(seen);
        }
        let (state, seq) = Replay::state_of(self.journal(), run).await?;
        let look = look.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(look.expect("nobody has looked yet")(&state, seq))
    }

    async fn pools(&self) -> Result<PoolList, HostError> {
        let pools = self.hosted.orchestrator.pools().await?;
        let shown = |keys: &[AttemptKey]| keys.iter().take(PoolView::SHOWN_MAX).copied().collect::<Vec<_>>();
        let keys = pools
            .iter()
            .flat_map(|pool| shown(&pool.holders).into_iter().chain(shown(&pool.waiters)));
        let names = self.names(&keys.collect::<Vec<_>>()).await?;
        let leases = |keys: &[AttemptKey]| {
            let lease = |key: &AttemptKey| LeaseView {
                run_id: key.run,
                task: names.get(key).cloned(),
                epoch: key.epoch,
                attempt: key.attempt,
            };
            shown(keys).iter().map(lease).collect()
        };
        let view = |pool: &crate::host::PoolView| {
            PoolView::of(&pool.usage, leases(&pool.holders), leases(&pool.waiters))
        };
        Ok(PoolList {
            pools: pools.iter().map(view).collect(),
        })
    }

    async fn stats(&self) -> Result<Option<Stats>, HostError> {
        let orchestrator = &self.hosted.orchestrator;
        let stats = orchestrator.stats().await?;
        let pools = orchestrator.pools().await?;
        let translated = self.hosted.translations.counts();
        let remembered = self.hosted.store.count(MEMO_PREFIX, self.now()).await;
        Ok(Some(Stats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.now().millis_since(self.hosted.started_at) / 1_000,
            policy_version: self.policy().version().to_owned(),
            runs_active: stats.runs_loaded as u64,
            attempts_live: Some(stats.attempts_live as u64),
            appends: stats.appends,
            events: stats.events,
            commits: stats.commits,
            telemetry: orchestrator.exporter().map(Exporter::stats).unwrap_or_default(),
            counted: orchestrator.counted(),
            cache: translated.lookups,
            results_kept: self.hosted.store.count(results::PREFIX, self.now()).await.ok(),
            translation: TranslationStats {
                // A memory that cannot be read has nothing to offer.
                remembered: remembered.unwrap_or(0),
                ..translated.stats
            },
            pools: pools.iter().map(crate::host::PoolView::numbers).collect(),
            sla: self.journal().sla_stats().await?,
            memory_peak_bytes: memory_peak_bytes(),
        }))
    }

    async fn sla(&self, client_id: Option<&str>, limit: u32) -> Result<SlaView, HostError> {
        let Watched {
            at_risk,
            stalled,
            agents,
        } = self
            .hosted
            .orchestrator
            .watch(client_id.map(str::to_owned))
            .await?;
        let stored = self.journal().sla(client_id, limit, self.now()).await?;
        Ok(SlaView {
            at_risk,
            stalled,
            agents,
            ..stored
        })
    }

    async fn logs(&self, key: AttemptKey, task: &str, bytes_max: u64) -> Result<Option<Logs>, HostError> {
        logs(self.journal(), key, task, bytes_max).await
    }

    async fn translate(&self, request: &translation::Request) -> Result<Translated, TranslatorError> {
        self.hosted
            .translations
            .translate(request, &self.intake, self.policy())
            .await
    }

    async fn translate_later(&self, job: Job) -> Result<(), Problem> {
        // A process that only answers its own request has nobody to go on afterwards.
        if !self.hosted.translations.asks_elsewhere() || !self.is_limited {
            return later::work(self, job).await;
        }
        let Some(place) = self.hosted.places.take() else {
            let detail = "too many translations wait (try again later)";
            return Err(Problem::new(Code::TranslatorDown, detail).retry_after(5));
        };
        let backend = self.clone();
        tokio::spawn(async move {
            let token = job.token;
            if let Err(problem) = later::work(&backend, job).await {
                tracing::warn!(%token, detail = problem.detail, "a translation cannot be kept");
            }
            drop(place);
        });
        Ok(())
    }

    async fn keep(&self, key: &str, value: &[u8], until: Timestamp) -> Result<(), HostError> {
        self.hosted.store.put(key, value, self.now(), until).await
    }

    async fn kept(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.hosted.store.get(key, self.now()).await
    }

    async fn forget_memos(&self) -> Result<Option<u64>, HostError> {
        self.hosted.store.forget(MEMO_PREFIX).await.map(Some)
    }

    async fn forget_results(&self) -> Result<Option<u64>, HostError> {
        self.hosted.store.forget(results::PREFIX).await.map(Some)
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, HostError> {
        self.hosted.orchestrator.claim(claim).await
    }

    async fn take_token(&self, client_id: &str) -> Result<Option<u64>, HostError> {
        if !self.is_limited {
            return Ok(None);
        }
        self.hosted.rate_limits.take(client_id, self.now()).await
    }
}

/// Changes of runs as they happen.
#[derive(Debug)]
pub struct Changes(broadcast::Receiver<Change>);

impl Changes {
    /// Waits until any run may have changed. `false`: the orchestrator has stopped, and nothing changes any more.
    pub async fn any(&mut self) -> bool {
        !matches!(self.0.recv().await, Err(RecvError::Closed))
    }

    /// Takes what has changed up to now as seen.
    pub fn catch_up(&mut self) {
        self.0 = self.0.resubscribe();
    }

    /// Waits until `run` may have changed. `false`: the orchestrator has stopped, and nothing changes any more.
    pub async fn of(&mut self, run: RunId) -> bool {
        loop {
            match self.0.recv().await {
                Ok(change) if change.run == run => return true,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return true,
                Err(RecvError::Closed) => return false,
            }
        }
    }
}

async fn logs(
    reader: &Reader,
    key: AttemptKey,
    task: &str,
    bytes_max: u64,
) -> Result<Option<Logs>, HostError> {
    match reader.log(key.run, task, Some((key.epoch, key.attempt))).await {
        Ok(log) => {
            let kept = usize::try_from(bytes_max).unwrap_or(usize::MAX);
            let end = &log.bytes[log.bytes.len().saturating_sub(kept)..];
            let text = String::from_utf8_lossy(end).into_owned();
            Ok(Some(Logs {
                text,
                bytes: log.bytes.len() as u64,
            }))
        }
        Err(LogError::Missing { .. }) => Ok(None),
        Err(error) => Err(HostError {
            what: "the log",
            detail: error.to_string(),
        }),
    }
}

/// Most memory this process has used; known on Linux only.
fn memory_peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}
