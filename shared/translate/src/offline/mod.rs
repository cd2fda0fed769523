//! The offline translator: rules and the words of the catalogue. It needs no model and no network, and knows what it does not know.
//!
//! A sentence is taken apart into clauses; each has to ask for an action with words of that action; parameters are values that the
//! sentence names; who waits for whom follows from who takes whose output, and from words such as `then`. Whatever it does not
//! understand makes it less sure, and one clause that it does not understand makes it refuse the whole: a workflow that does half of
//! what was asked is not what was asked.

mod clauses;
mod fill;
mod index;
mod lang;
mod reader;
mod reading;
mod text;
mod wire;

use std::collections::BTreeSet;

use crate::catalogue::Catalogue;
use crate::draft::{Draft, DraftWorkflow, Status};
use crate::translate::{Answered, Ask, Translator, TranslatorError, Usage};
pub(crate) use index::{Entry, Index};
use reader::{Read, Reader};
use text::Token;
use wire::Wired;

/// Changes whenever the same sentence may be translated otherwise.
const VERSION: u32 = 1;

/// The offline translator.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

impl Translator for Offline {
    fn name(&self) -> &str {
        "offline"
    }

    fn identity(&self) -> String {
        format!("offline/{VERSION}")
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Answered, TranslatorError> {
        let draft = draft(ask.prompt.text(), ask.rules.catalogue);
        Ok(Answered {
            text: serde_json::to_string(&draft).expect("a draft is plain data"),
            usage: Usage::default(),
        })
    }
}

/// Translates a text.
pub fn draft(text: &str, catalogue: &Catalogue) -> Draft {
    let lower = text.to_lowercase();
    if let Some(phrase) = lang::ADDRESSED.iter().find(|phrase| lower.contains(**phrase)) {
        let reason = format!(
            "'{}' addresses the translator or a machine, and asks no agent for work",
            phrase.trim()
        );
        return Draft::without(Status::Refused, 1.0, reason);
    }
    let index = Index::new(catalogue);
    if index.entries().is_empty() {
        let reason =
            "no agent says what it can do (describe actions under 'agents:', see docs/translation.md)";
        return Draft::without(Status::Impossible, 1.0, reason);
    }
    let tokens = index.tokens(text);
    let clauses = match clauses::clauses(&tokens, &index) {
        Ok(clauses) => clauses,
        Err(tangled) => return Draft::without(Status::Ambiguous, 0.5, tangled.reason()),
    };
    match Reader::new(&tokens, &index).read(&clauses) {
        Ok(read) => workflow(text, read, &tokens, &index),
        Err(draft) => draft,
    }
}

fn workflow(text: &str, read: Read, tokens: &[Token], index: &Index<'_>) -> Draft {
    let Read {
        steps,
        confidence,
        unknown,
    } = read;
    let wired = match Wired::of(steps, index) {
        Ok(wired) => wired,
        Err(unclear) => return Draft::without(Status::Ambiguous, 0.5, unclear.0),
    };
    let mut notes = wired.notes;
    if !unknown.is_empty() {
        let words: Vec<String> = unknown.iter().map(|word| format!("'{word}'")).collect();
        notes.push(format!("not understood: {}", words.join(", ")));
    }
    let corrected: BTreeSet<String> = tokens
        .iter()
        .filter(|token| token.corrected)
        .map(|token| format!("'{}' was read as '{}'", token.raw, token.text))
        .collect();
    notes.extend(corrected);
    let mut actions: Vec<&str> = wired.tasks.iter().map(|task| task.action.as_str()).collect();
    actions.dedup();
    let name: String = actions.join("-").chars().take(100).collect();
    Draft {
        status: Status::Workflow,
        confidence: (confidence * 100.0).round() / 100.0,
        reason: String::new(),
        notes,
        workflow: Some(DraftWorkflow {
            name: name.replace('_', "-"),
            description: Some(text.chars().take(500).collect()),
            inputs: wired.inputs,
            tasks: wired.tasks,
        }),
    }
}
