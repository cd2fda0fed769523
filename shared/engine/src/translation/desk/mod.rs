//! Where texts are translated: what is remembered, what is asked only once, and what it may cost. The same for every host.
//!
//! An answer is remembered under a hash of everything it depends on; whoever asks the same while it is being answered waits for that
//! answer instead of asking again, also in another process. A cache that cannot be used costs a call of the translator, never an error.
//!
//! Reading order: [`Desk`], [`memory`], [`flights`], [`claims`], [`budget`], [`counts`].

mod budget;
mod claims;
mod counts;
mod flights;
mod memory;

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{Either, select};
use orchestrator_core::policy::Policy;
use orchestrator_translate::offline::Offline;
use orchestrator_translate::{Outcome, Translation, Translator, TranslatorError};

use super::{Request, Source, Translated, ask, memo_key};
use crate::api::Intake;
use crate::ports::{Cache, Clock, Pause};
use crate::settings::Budget as Limits;
use budget::Budget;
use claims::{Question, Turn};
use flights::{Flights, Seat};
use memory::Found;

pub use counts::Counts;

/// What keys of remembered answers begin with.
pub const MEMO_PREFIX: &str = "memo:";

/// What a desk has to know of its translator.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Options {
    /// What a client may use up.
    pub budget: Limits,
    /// Whether an answer takes long and costs something, because somebody else is asked: then processes agree on who asks.
    pub asks_elsewhere: bool,
    /// Whether the offline translator answers when the translator does not.
    pub falls_back: bool,
}

/// Translates, remembers, counts. Cheap to clone.
pub struct Desk<T, C, K>(Arc<Inner<T, C, K>>);

struct Inner<T, C, K> {
    translator: T,
    cache: C,
    clock: K,
    options: Options,
    flights: Flights,
    budget: Budget,
    counts: Mutex<Counts>,
}

impl<T, C, K> Clone for Desk<T, C, K> {
    fn clone(&self) -> Self {
        Desk(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug, C, K> fmt::Debug for Desk<T, C, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Desk").field(&self.0.translator).finish()
    }
}

impl<T: Translator, C: Cache, K: Clock + Pause> Desk<T, C, K> {
    /// A translator with a cache for what is remembered.
    pub fn new(translator: T, cache: C, clock: K, options: Options) -> Self {
        Desk(Arc::new(Inner {
            translator,
            cache,
            clock,
            options,
            flights: Flights::default(),
            budget: Budget::new(options.budget),
            counts: Mutex::default(),
        }))
    }

    /// Whether an answer may take long, because somebody else is asked.
    pub fn asks_elsewhere(&self) -> bool {
        self.0.options.asks_elsewhere
    }

    /// Where the answer of a request is remembered.
    pub fn key(&self, request: &Request, intake: &Intake, policy: &Policy) -> String {
        memo_key(&self.0.translator.identity(), request, intake, policy)
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
        let key = self.key(request, intake, policy);
        if request.is_fresh {
            self.count("bypass");
            let translation = self.ask(&key, request, intake, policy).await?;
            return Ok(from(translation, Source::Translator));
        }
        if let Some(found) = self.look(&key, true).await {
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
                    let answer = self.ask_once(&key, request, intake, policy).await;
                    flight.land(answer.clone().map(|translated| translated.translation));
                    return answer;
                }
            }
        }
    }

    /// The answer that is remembered under a key. That there is none is not counted: somebody will look again.
    pub async fn recall(&self, key: &str) -> Option<Translated> {
        self.look(key, false).await
    }

    /// Lets a client have something translated, or tells when it may again.
    ///
    /// # Errors
    /// When it has used up what it may.
    pub async fn admit(&self, client: &str) -> Result<(), TranslatorError> {
        let now = self.0.clock.now();
        self.0.budget.admit(&self.0.cache, client, now).await
    }

    /// The same text was asked for while it was being translated elsewhere.
    pub fn note_shared(&self) {
        self.count("shared");
    }

    /// Asks, unless another process does; then waits for its answer.
    async fn ask_once(
        &self,
        key: &str,
        request: &Request,
        intake: &Intake,
        policy: &Policy,
    ) -> Result<Translated, TranslatorError> {
        let Inner { cache, clock, .. } = &*self.0;
        let mut question = Question::new(cache, clock, key);
        let mut has_waited = false;
        let is_claimed = loop {
            let turn = match self.0.options.asks_elsewhere {
                true => question.turn().await,
                false => Turn::Unclaimed,
            };
            // The same may have been answered since the last look.
            if let Some(found) = self.look(key, false).await {
                if matches!(turn, Turn::Claimed) {
                    question.give_back().await;
                }
                if has_waited {
                    self.count("shared");
                }
                return Ok(found);
            }
            match turn {
                Turn::Claimed => break true,
                Turn::Unclaimed => break false,
                Turn::Look => has_waited = true,
            }
        };
        let asking = pin!(self.ask(key, request, intake, policy));
        let answer = if is_claimed {
            let answer = match select(asking, pin!(question.renew())).await {
                Either::Left((answer, _)) => answer,
                Either::Right((never, _)) => match never {},
            };
            question.give_back().await;
            answer
        } else {
            asking.await
        };
        answer.map(|translation| from(translation, Source::Translator))
    }

    /// Looks into the memory; only the first look of a request is counted, whatever it finds.
    async fn look(&self, key: &str, is_first: bool) -> Option<Translated> {
        let found = memory::look(&self.0.cache, key, self.0.clock.now()).await;
        let (outcome, translation) = match found {
            Found::Fresh(translation) => ("hit", Some(translation)),
            Found::Stale => ("stale", None),
            Found::Nothing => ("miss", None),
            Found::Unreachable => ("unreachable", None),
        };
        if is_first || translation.is_some() {
            self.count(outcome);
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
        let Inner {
            translator,
            cache,
            clock,
            budget,
            ..
        } = &*self.0;
        budget.admit(cache, &request.client_id, clock.now()).await?;
        let translation = match ask(translator, request, intake, policy).await {
            Ok(translation) => translation,
            Err(error) => {
                self.with(|counts| counts.stats.failed_calls += 1);
                return self.fall_back(error, request, intake, policy).await;
            }
        };
        let usage = translation.usage;
        budget.spend(cache, clock, &request.client_id, usage).await;
        self.with(|counts| counts.asked(usage, translation.rejected.len() as u64));
        let for_ms = intake.translation.memo_ms;
        memory::keep(cache, key, &translation, clock.now(), for_ms).await;
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
        if !self.0.options.falls_back || !matches!(error, TranslatorError::Unavailable { .. }) {
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
        self.with(|counts| counts.saved(usage));
        from(translation, source)
    }

    /// What has been counted so far.
    pub fn counts(&self) -> Counts {
        self.with(|counts| counts.clone())
    }

    /// What has been counted since it was last drained.
    pub fn drain(&self) -> Counts {
        self.with(std::mem::take)
    }

    fn count(&self, outcome: &str) {
        self.with(|counts| counts.lookup(outcome));
    }

    fn with<R>(&self, change: impl FnOnce(&mut Counts) -> R) -> R {
        change(&mut self.0.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn from(translation: Translation, source: Source) -> Translated {
    Translated { translation, source }
}
