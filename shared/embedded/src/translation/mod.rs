//! Who translates in this process, and how many texts may wait to be translated.
//!
//! What is remembered, asked once and counted is [`orchestrator_engine::translation::desk`]'s.
//!
//! Reading order: [`Translations`], [`openai`].

pub mod openai;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use orchestrator_engine::settings::Budget;
use orchestrator_engine::translation::desk::{Desk, Options};
use orchestrator_translate::offline::Offline;
use orchestrator_translate::{Answered, Ask, Translator, TranslatorError};

use crate::clock::SystemClock;
use crate::store::LossyStore;
use openai::OpenAi;

/// Translations that wait or are being made for `POST /workflows/translate`; more are refused.
const LATER_MAX: usize = 64;

/// The desk of this process, whose memory is a file.
pub type Translations = Desk<AnyTranslator, LossyStore, SystemClock>;

/// Who translates.
#[derive(Debug)]
pub enum AnyTranslator {
    /// Rules and the words of the catalogue.
    Offline,
    /// A model behind an endpoint.
    OpenAi(Box<OpenAi>),
}

impl AnyTranslator {
    /// The desk of this translator.
    pub(crate) fn desk(self, budget: Budget, store: LossyStore) -> Translations {
        let options = Options {
            budget,
            asks_elsewhere: matches!(self, AnyTranslator::OpenAi(_)),
            falls_back: matches!(&self, AnyTranslator::OpenAi(openai) if openai.falls_back()),
        };
        Desk::new(self, store, SystemClock, options)
    }
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

/// Places for translations that are made later. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<AtomicUsize>);

impl Places {
    /// A place; `None`: there are too many translations.
    pub fn take(&self) -> Option<Place> {
        let take = |count: usize| (count < LATER_MAX).then_some(count + 1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .ok()?;
        Some(Place(self.clone()))
    }
}

/// A place among the translations that are made later; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Places);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
