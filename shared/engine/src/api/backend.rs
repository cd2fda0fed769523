//! What the API needs from its host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::policy::Policy;
use orchestrator_core::run::{Command, Report, RunState};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::Limits;
use orchestrator_translate::offline::Offline;
use orchestrator_translate::{Catalogue, TranslatorError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::later;
use super::problem::Problem;
use crate::error::{Error, HostError};
use crate::metrics::Snapshot;
use crate::ports::idempotency::{Claim, Claimed};
use crate::ports::{Journal, RunIndex};
use crate::settings::Costs;
use crate::submit::Request;
use crate::token::TokenKey;
use crate::trace::Tracer;
use crate::translation::{self, Job, Soon, Translated};
use crate::views::{PoolList, Replay, SlaStats, SlaView};

/// A host as the API sees it.
pub trait Backend {
    /// See [`Journal`]; only read.
    type Journal: Journal;
    /// See [`RunIndex`].
    type RunIndex: RunIndex;

    /// The journals.
    fn journal(&self) -> &Self::Journal;

    /// The index of runs.
    fn run_index(&self) -> &Self::RunIndex;

    /// The current time.
    fn now(&self) -> Timestamp;

    /// A new run id.
    fn new_run_id(&self) -> RunId;

    /// The policy in force.
    fn policy(&self) -> &Policy;

    /// The key that signs task tokens; `None` when this host takes no reports.
    fn tokens(&self) -> Option<&TokenKey>;

    /// What is let in.
    fn intake(&self) -> &Intake;

    /// Who records spans; `None`: nobody does.
    fn tracer(&self) -> Option<&Tracer> {
        None
    }

    /// Stores a run and starts it. A run that exists already is left as it is.
    ///
    /// # Errors
    /// When it cannot be stored.
    async fn submit(&self, request: Request) -> Result<(), Error>;

    /// Carries out an operator's command.
    ///
    /// # Errors
    /// When the run refuses it, or cannot be read or written.
    async fn operate(&self, run: RunId, command: Command) -> Result<(), Error>;

    /// Passes on what an agent said.
    ///
    /// # Errors
    /// When the run cannot be read or written.
    async fn report(&self, run: RunId, report: Report) -> Result<(), Error>;

    /// Looks at a run as it is. Hosts that keep loaded runs look there; others read the journal.
    ///
    /// # Errors
    /// When there is no such run, or it cannot be read.
    async fn inspect<T: Send + 'static>(
        &self,
        run: RunId,
        look: impl FnOnce(&RunState, u64) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (state, seq) = Replay::state_of(self.journal(), run).await?;
        Ok(look(&state, seq))
    }

    /// Pools with holders and waiters.
    ///
    /// # Errors
    /// When they cannot be read now.
    async fn pools(&self) -> Result<PoolList, HostError>;

    /// What the host has done so far; `None` when it keeps no tally.
    ///
    /// # Errors
    /// When it cannot be told now.
    async fn stats(&self) -> Result<Option<Stats>, HostError>;

    /// What is late, what may become late, and how long tasks take: of the runs of one client, or of all. At most `limit`
    /// recent ones.
    ///
    /// # Errors
    /// When it cannot be told now.
    async fn sla(&self, client_id: Option<&str>, limit: u32) -> Result<SlaView, HostError>;

    /// What an attempt's agent printed, at most the last `bytes_max`; `None` when nothing was kept. `task` is the name of
    /// the node `key` names.
    ///
    /// # Errors
    /// When it cannot be read now.
    async fn logs(&self, key: AttemptKey, task: &str, bytes_max: u64) -> Result<Option<Logs>, HostError>;

    /// Translates a text into a workflow, or tells why not. Who translates, what is remembered and what it may cost is the host's;
    /// without a word from the host, the offline translator does it.
    ///
    /// # Errors
    /// When the translator does not answer.
    async fn translate(&self, request: &translation::Request) -> Result<Translated, TranslatorError> {
        let translation = translation::ask(&Offline, request, self.intake(), self.policy()).await?;
        Ok(Translated {
            translation,
            source: translation::Source::Translator,
        })
    }

    /// Translates a text if that takes no longer than a request may; otherwise says that it has to be done later, under `token`, or under
    /// which one it is being done. Hosts whose requests may wait always translate.
    ///
    /// # Errors
    /// When the translator does not answer, the client has used up what it may, or the store cannot be reached.
    async fn translate_soon(&self, request: &translation::Request, token: RunId) -> Result<Soon, Problem> {
        // Only hosts that translate later have to be told under which name.
        let _ = token;
        let translated = self.translate(request).await?;
        Ok(Soon::Now(Box::new(translated)))
    }

    /// Translates a text later and keeps what becomes of it; hosts without somebody to do so do it at once.
    ///
    /// # Errors
    /// When there is too much to do, or the answer cannot be kept.
    async fn translate_later(&self, job: Job) -> Result<(), Problem>
    where
        Self: Sized,
    {
        later::work(self, job).await
    }

    /// Keeps a value under a key until a time; losing it costs time only.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn keep(&self, key: &str, value: &[u8], until: Timestamp) -> Result<(), HostError>;

    /// The value that is kept under a key.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn kept(&self, key: &str) -> Result<Option<Vec<u8>>, HostError>;

    /// Forgets every remembered translation; the number of them, where it is known.
    ///
    /// # Errors
    /// When the store cannot be reached, or this host does not know what it remembers.
    async fn forget_memos(&self) -> Result<Option<u64>, HostError>;

    /// Forgets every kept result of a task; the number of them, where it is known. `None`: they are left to expire.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn forget_results(&self) -> Result<Option<u64>, HostError>;

    /// See [`crate::ports::Idempotency::claim`].
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn claim(&self, claim: Claim) -> Result<Claimed, HostError>;

    /// See [`crate::ports::RateLimits::take`].
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn take_token(&self, client_id: &str) -> Result<Option<u64>, HostError>;
}

/// What is let in. Made from the settings once.
#[derive(Debug, Clone, PartialEq)]
pub struct Intake {
    /// Bounds on documents.
    pub limits: Limits,
    /// Agents that are configured; `None` when any name will do.
    pub agents: Option<BTreeSet<String>>,
    /// What agents say about themselves.
    pub catalogue: Arc<Catalogue>,
    /// Bounds on translations.
    pub translation: TranslationLimits,
    /// What machines cost, for estimates.
    pub costs: Costs,
    /// Runs a client may have at a time.
    pub runs_max: Option<u32>,
    /// What happens to more: they wait, or they are refused.
    pub queues_runs: bool,
    /// How long an `Idempotency-Key` is remembered.
    pub idempotency_ttl_ms: u64,
}

impl Intake {
    /// Largest body that is read: a document may come wrapped, with line breaks and quotes escaped.
    pub fn body_bytes_max(&self) -> usize {
        const SLACK: usize = 64 * 1024;
        self.limits.document_bytes.saturating_mul(2).saturating_add(SLACK)
    }
}

impl Default for Intake {
    fn default() -> Intake {
        Intake {
            limits: Limits::api(),
            agents: None,
            catalogue: Arc::default(),
            translation: TranslationLimits::default(),
            costs: Costs::default(),
            runs_max: None,
            queues_runs: true,
            idempotency_ttl_ms: 24 * 3_600_000,
        }
    }
}

/// Bounds on translations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TranslationLimits {
    /// A translation that is less sure comes to suggestions, 0 to 1.
    pub confidence_min: f64,
    /// How often a translator is asked again because its answer did not pass.
    pub repairs_max: u32,
    /// Characters of a text.
    pub prompt_chars_max: usize,
    /// How long translations and plans can be asked for.
    pub keep_ms: u64,
    /// How long an answer is remembered.
    pub memo_ms: u64,
}

impl Default for TranslationLimits {
    fn default() -> TranslationLimits {
        TranslationLimits {
            confidence_min: 0.6,
            repairs_max: 2,
            prompt_chars_max: orchestrator_translate::prompt::CHARS_MAX,
            keep_ms: 24 * 3_600_000,
            memo_ms: 3_600_000,
        }
    }
}

/// What an attempt's agent printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logs {
    /// The end of its output and its error output, as they came.
    pub text: String,
    /// Bytes that were kept of both.
    pub bytes: u64,
}

/// Whether traces are exported, and what has become of their spans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TelemetryStats {
    /// Whether traces are exported.
    pub enabled: bool,
    /// Name of the service in traces; `null` when they are not.
    pub service_name: Option<String>,
    /// The trace of this very request.
    pub current_trace_id: Option<String>,
    /// Spans that a collector took.
    pub spans_sent: u64,
    /// Spans that did not fit into the queue.
    pub spans_dropped: u64,
    /// Spans that no collector took.
    pub spans_failed: u64,
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolStats {
    /// Slots.
    pub capacity: u32,
    /// Slots that are held.
    pub used: u32,
    /// Attempts that wait for one.
    pub waiting: u32,
}

/// What translations have used up and saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TranslationStats {
    /// Texts that were translated, or found to have no translation.
    pub translations: u64,
    /// Answers that did not pass the guardrails.
    pub rejected: u64,
    /// Calls of models.
    pub calls: u64,
    /// Calls that were not answered.
    pub failed_calls: u64,
    /// Tokens that models read and wrote.
    pub tokens: u64,
    /// What they cost, US dollars.
    pub cost_usd: f64,
    /// Tokens that remembered and shared answers saved.
    pub saved_tokens: u64,
    /// What that saved, US dollars.
    pub saved_usd: f64,
    /// Answers remembered now.
    pub remembered: u64,
}

/// What a host has done so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Version of the program.
    pub version: String,
    /// Seconds since the host started; on AWS, since the process that answers did.
    pub uptime_seconds: u64,
    /// Version of the policy in force.
    pub policy_version: String,
    /// Runs in memory: those that have not ended, but for a short tail; on AWS, those that have not ended by what was counted.
    pub runs_active: u64,
    /// Attempts at work now; absent on AWS, where no process knows them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_live: Option<u64>,
    /// Appends to journals since the host started.
    pub appends: u64,
    /// Events in them.
    pub events: u64,
    /// Commits that made them durable.
    pub commits: u64,
    /// Traces.
    pub telemetry: TelemetryStats,
    /// What was counted since the host started.
    #[serde(flatten)]
    pub counted: Snapshot,
    /// Lookups of memoised results by outcome; empty where nothing is memoised.
    pub cache: BTreeMap<String, u64>,
    /// Results of tasks that are kept now; absent where nobody counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results_kept: Option<u64>,
    /// Translations.
    #[serde(default)]
    pub translation: TranslationStats,
    /// Pools by name.
    pub pools: BTreeMap<String, PoolStats>,
    /// Deadlines.
    #[serde(default)]
    pub sla: SlaStats,
    /// Most memory used so far, bytes; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_peak_bytes: Option<u64>,
}
