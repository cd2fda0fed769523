//! Who translates, what is remembered, and what it may cost, in one process.
//!
//! An answer is remembered under a hash of everything it depends on; whoever asks the same while it is being answered waits for that
//! answer instead of asking again. A store that cannot be used costs a call of the translator, never an error.
//!
//! Reading order: [`Translations`], [`memory`], [`flights`], [`budget`], [`openai`].

mod budget;
mod flights;
mod memory;
pub mod openai;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_core::policy::Policy;
use orchestrator_engine::api::Intake;
use orchestrator_engine::api::backend::TranslationStats;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::settings::Budget as Limits;
use orchestrator_engine::translation::{Request, Source, Translated, ask, memo_key};
use orchestrator_translate::offline::Offline;
use orchestrator_translate::{Answered, Ask, Outcome, Translation, Translator, TranslatorError, Usage};

use crate::clock::SystemClock;
use crate::store::LossyStore;
use budget::Budget;
use flights::{Flights, Seat};
use memory::{Found, Memory};
use openai::OpenAi;

/// Translations that wait or are being made for `POST /workflows/translate`; more are refused.
const LATER_MAX: usize = 64;

/// Translates, remembers, counts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Translations(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    translator: AnyTranslator,
    memory: Memory,
    flights: Flights,
    budget: Budget,
    counts: Mutex<Counts>,
    later: AtomicUsize,
}

#[derive(Debug, Default)]
struct Counts {
    lookups: BTreeMap<&'static str, u64>,
    stats: TranslationStats,
}

/// Who translates.
#[derive(Debug)]
pub enum AnyTranslator {
    /// Rules and the words of the catalogue.
    Offline,
    /// A model behind an endpoint.
    OpenAi(Box<OpenAi>),
}

impl Translator for AnyTranslator {
    fn name(&self) -> &str {
        match self {
            AnyTranslator::Offline => Offline.name(),
            AnyTranslator::OpenAi(openai) => openai.name(),
        }
    }

    fn identity(&self) -> String {
        match self {
            AnyTranslator::Offline => Offline.identity(),
            AnyTranslator::OpenAi(openai) => openai.identity(),
        }
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Answered, TranslatorError> {
        match self {
            AnyTranslator::Offline => Offline.answer(ask).await,
            AnyTranslator::OpenAi(openai) => openai.answer(ask).await,
        }
    }
}

impl Translations {
    /// A translator with a store for what is remembered.
    pub fn new(translator: AnyTranslator, limits: Limits, store: LossyStore) -> Translations {
        Translations(Arc::new(Inner {
            translator,
            memory: Memory(store.clone()),
            flights: Flights::default(),
            budget: Budget::new(limits, store),
            counts: Mutex::default(),
            later: AtomicUsize::new(0),
        }))
    }

    /// Whether an answer may take long, because somebody else is asked.
    pub fn takes_long(&self) -> bool {
        matches!(self.0.translator, AnyTranslator::OpenAi(_))
    }

    /// Translates.
    ///
    /// # Errors
    /// When the translator does not answer, or the client has used up what it may.
    pub async fn translate(
        &self,
        request: &Request,
        intake: &Intake,
        policy: &Policy,
    ) -> Result<Translated, TranslatorError> {
        let key = memo_key(&self.0.translator, request, intake, policy);
        if request.is_fresh {
            self.count("bypass");
            let translation = self.ask(&key, request, intake, policy).await?;
            return Ok(from(translation, Source::Translator));
        }
        if let Some(found) = self.remembered(&key, true).await {
            return Ok(found);
        }
        loop {
            match self.0.flights.board(&key) {
                Seat::Passenger(flight) => {
                    // Whoever flew may have been cancelled; then somebody else has to fly.
                    if let Some(landed) = flight.land().await {
                        self.count("shared");
                        return landed.map(|translation| self.saved(translation, Source::Shared));
                    }
                }
                Seat::Pilot(flight) => {
                    // The same may have been answered between the look and the boarding.
                    if let Some(found) = self.remembered(&key, false).await {
                        flight.land(Ok(found.translation.clone()));
                        return Ok(found);
                    }
                    let answer = self.ask(&key, request, intake, policy).await;
                    flight.land(answer.clone());
                    return answer.map(|translation| from(translation, Source::Translator));
                }
            }
        }
    }

    /// Looks into the memory; only the first look of a request is counted.
    async fn remembered(&self, key: &str, counts: bool) -> Option<Translated> {
        let found = self.0.memory.look(key, SystemClock.now()).await;
        let (word, translation) = match found {
            Found::Fresh(translation) => ("hit", Some(translation)),
            Found::Stale => ("stale", None),
            Found::Nothing => ("miss", None),
            Found::Unreachable => ("unreachable", None),
        };
        if counts || translation.is_some() {
            self.count(word);
        }
        translation.map(|translation| self.saved(*translation, Source::Memory))
    }

    async fn ask(
        &self,
        key: &str,
        request: &Request,
        intake: &Intake,
        policy: &Policy,
    ) -> Result<Translation, TranslatorError> {
        let now = SystemClock.now();
        self.0.budget.admit(&request.client_id, now).await?;
        let answer = ask(&self.0.translator, request, intake, policy).await;
        let translation = match answer {
            Ok(translation) => translation,
            Err(error) => {
                self.with(|counts| counts.stats.failed_calls += 1);
                return self.fall_back(error, request, intake, policy).await;
            }
        };
        let usage = translation.usage;
        self.0
            .budget
            .spend(&request.client_id, usage, SystemClock.now())
            .await;
        self.with(|counts| {
            let stats = &mut counts.stats;
            stats.translations += 1;
            stats.rejected += translation.rejected.len() as u64;
            stats.calls += u64::from(usage.calls);
            stats.tokens += tokens(usage);
            stats.cost_usd += usage.cost_usd;
        });
        self.0
            .memory
            .keep(key, &translation, SystemClock.now(), intake.translation.memo_ms)
            .await;
        Ok(translation)
    }

    /// The offline translator's answer where a model does not answer, if it has a workflow. It is not remembered: the model is asked
    /// again the next time.
    async fn fall_back(
        &self,
        error: TranslatorError,
        request: &Request,
        intake: &Intake,
        policy: &Policy,
    ) -> Result<Translation, TranslatorError> {
        let falls_back = matches!(&self.0.translator, AnyTranslator::OpenAi(openai) if openai.falls_back());
        if !falls_back || !matches!(error, TranslatorError::Unavailable { .. }) {
            return Err(error);
        }
        let mut translation = ask(&Offline, request, intake, policy).await?;
        match &mut translation.outcome {
            Outcome::Workflow { notes, .. } => {
                self.count("fallback");
                notes.push(format!("translated offline: {error}"));
                Ok(translation)
            }
            Outcome::NeedsHuman { .. } => Err(error),
        }
    }

    /// An answer that cost nothing this time.
    fn saved(&self, mut translation: Translation, source: Source) -> Translated {
        let usage = std::mem::take(&mut translation.usage);
        self.with(|counts| {
            counts.stats.saved_tokens += tokens(usage);
            counts.stats.saved_usd += usage.cost_usd;
        });
        from(translation, source)
    }

    /// Lookups by outcome, and what was used up and saved.
    pub async fn stats(&self) -> (BTreeMap<String, u64>, TranslationStats) {
        let remembered = self
            .0
            .memory
            .0
            .count(memory::PREFIX, SystemClock.now())
            .await
            .unwrap_or(0);
        self.with(|counts| {
            let lookups = counts
                .lookups
                .iter()
                .map(|(word, count)| ((*word).to_owned(), *count))
                .collect();
            let stats = TranslationStats {
                remembered,
                ..counts.stats
            };
            (lookups, stats)
        })
    }

    /// Forgets every answer, and tells how many there were.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn forget(&self) -> Result<u64, orchestrator_engine::error::HostError> {
        self.0.memory.0.forget(memory::PREFIX).await
    }

    /// A place among the translations that are made later; `None`: there are too many.
    pub fn take_place(&self) -> Option<Place> {
        let take = |count: usize| (count < LATER_MAX).then_some(count + 1);
        let later = &self.0.later;
        later
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .ok()?;
        Some(Place(self.clone()))
    }

    fn count(&self, word: &'static str) {
        self.with(|counts| *counts.lookups.entry(word).or_default() += 1);
    }

    fn with<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.0.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A place among the translations that are made later; given back when dropped.
#[derive(Debug)]
pub struct Place(Translations);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.later.fetch_sub(1, Ordering::Relaxed);
    }
}

fn from(translation: Translation, source: Source) -> Translated {
    Translated { translation, source }
}

fn tokens(usage: Usage) -> u64 {
    usage.input_tokens + usage.output_tokens
}
