//! From a sentence to a workflow that may be offered: a catalogue of what agents can do, translators that choose from it, guardrails
//! that no translator's answer gets around, and suggestions when there is no safe answer.
//!
//! Pure: no IO, no clock, no chance. A translator that asks a model lives in a host and is met here as the small trait
//! [`Translator`]; the [offline translator](offline) needs nobody. What a workflow may do is not decided here: the engine asks the
//! policy about every task of every run, whoever wrote it.
//!
//! Reading order: [`catalogue`], [`prompt`], [`draft`], [`guard`], [`instructions`], [`offline`], [`translate`](mod@translate), [`suggest`].

pub mod catalogue;
pub mod draft;
pub mod guard;
pub mod instructions;
pub mod offline;
pub mod prompt;
pub mod suggest;
pub mod translate;

pub use catalogue::Catalogue;
pub use prompt::{Prompt, PromptFault};
pub use suggest::Suggestion;
pub use translate::{Answered, Ask, Outcome, Translation, Translator, TranslatorError, Usage, translate};
