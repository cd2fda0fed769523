//! What of a clause is understood, and how sure that makes the translation.

use std::collections::BTreeSet;

use super::clauses::{Clause, waits};
use super::index::Index;
use super::lang::Role;
use super::text::{Kind, Token};

/// How much one word or number that nobody understands takes away.
const UNKNOWN_BEFORE: f64 = 0.25;
const UNKNOWN_BEHIND: f64 = 0.06;
const UNKNOWN_NUMBER: f64 = 0.4;
const UNKNOWN_REST: f64 = 0.04;
/// How much it takes away when everything that is named is unknown: `train my dog`.
const NOTHING_KNOWN: f64 = 0.4;
/// The least that words behind the request leave.
const BEHIND_MAX: f64 = 0.3;
/// How sure the words of a request make by themselves.
const SPELT: f64 = 0.97;
const MISSPELT: f64 = 0.85;

/// Words of a clause that are understood by nothing.
pub(super) fn unknown<'t>(
    tokens: &'t [Token],
    clause: &Clause,
    used: &BTreeSet<usize>,
    index: &Index<'_>,
) -> Vec<(usize, &'t Token)> {
    let hit: &[usize] = clause.hit.as_ref().map_or(&[], |hit| &hit.at);
    let is_open = |at: &usize| !used.contains(at) && !hit.contains(&(at - clause.tokens.start));
    clause
        .tokens
        .clone()
        .filter(is_open)
        .map(|at| (at, &tokens[at]))
        .filter(|(at, token)| !is_explained(tokens, *at, token, index))
        .collect()
}

fn is_explained(tokens: &[Token], at: usize, token: &Token, index: &Index<'_>) -> bool {
    const ROLES: [Role; 8] = [
        Role::Filler,
        Role::Neutral,
        Role::Domain,
        Role::Then,
        Role::First,
        Role::And,
        Role::Done,
        Role::Urgent,
    ];
    match token.kind {
        Kind::Mark(_) => true,
        Kind::Word if token.has(Role::When) => waits(tokens, at),
        Kind::Word => {
            ROLES.iter().any(|role| token.has(*role))
                || index.explains(token)
                || token.text.chars().count() == 1
        }
        // Numbers of a list: `1. load 2. clean`.
        Kind::Number(_) => tokens
            .get(at + 1)
            .is_some_and(|next| next.is_mark('.') || next.is_mark(')')),
        Kind::Path | Kind::Email | Kind::Quoted | Kind::Rest => false,
    }
}

/// How sure it is that the clause asks for what it hits, 0 to 1.
pub(super) fn sureness(tokens: &[Token], clause: &Clause, used: &BTreeSet<usize>, index: &Index<'_>) -> f64 {
    let Some(hit) = &clause.hit else {
        return 0.0;
    };
    let start = clause.tokens.start + hit.at[0];
    let mut sureness = if hit.corrected { MISSPELT } else { SPELT };
    let mut behind = 0.0;
    let unknown = unknown(tokens, clause, used, index);
    if unknown.iter().any(|(_, token)| token.kind == Kind::Word)
        && !names_anything(tokens, clause, used, index)
    {
        sureness -= NOTHING_KNOWN;
    }
    for (at, token) in unknown {
        match token.kind {
            Kind::Number(_) => sureness -= UNKNOWN_NUMBER,
            Kind::Rest => behind += UNKNOWN_REST,
            Kind::Path | Kind::Email => sureness -= UNKNOWN_NUMBER,
            _ if at < start => sureness -= UNKNOWN_BEFORE,
            _ => behind += UNKNOWN_BEHIND,
        }
    }
    (sureness - f64::min(behind, BEHIND_MAX)).max(0.0)
}

/// Whether a clause names anything that it could be about, besides what it asks for.
fn names_anything(tokens: &[Token], clause: &Clause, used: &BTreeSet<usize>, index: &Index<'_>) -> bool {
    let hit: &[usize] = clause.hit.as_ref().map_or(&[], |hit| &hit.at);
    clause.tokens.clone().any(|at| {
        let token = &tokens[at];
        let is_empty = token.has(Role::Filler) || token.has(Role::Neutral);
        let is_known =
            token.kind == Kind::Word && (token.has(Role::Domain) || index.explains(token) && !is_empty);
        let is_hit = hit.contains(&(at - clause.tokens.start));
        used.contains(&at) || is_known && !is_hit || hit.len() > 1 && is_hit
    })
}

/// Words that nothing else in the sentence excuses, with why the sentence is not translated.
pub(super) fn forbidden(tokens: &[Token], clause: &Clause) -> Option<Forbidden> {
    let hit: &[usize] = clause.hit.as_ref().map_or(&[], |hit| &hit.at);
    for at in clause.tokens.clone() {
        let token = &tokens[at];
        if hit.contains(&(at - clause.tokens.start)) {
            continue;
        }
        let word = || token.raw.clone();
        if token.has(Role::Dangerous) {
            return Some(Forbidden::Dangerous(word()));
        }
        if token.has(Role::Not) {
            return Some(Forbidden::Negation(word()));
        }
        if token.has(Role::Condition) || token.has(Role::When) && !waits(tokens, at) {
            return Some(Forbidden::Condition(word()));
        }
        if token.has(Role::Time) {
            return Some(Forbidden::Time(word()));
        }
    }
    None
}

/// Why a sentence is not translated, with the word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Forbidden {
    Dangerous(String),
    Negation(String),
    Condition(String),
    Time(String),
}

impl Forbidden {
    pub fn reason(&self) -> String {
        match self {
            Forbidden::Dangerous(word) => format!(
                "'{word}' is not translated: nothing that destroys, uncovers or switches off is made from a sentence"
            ),
            Forbidden::Negation(word) => format!(
                "'{word}' takes something back, and it is not certain what (say only what is to be done)"
            ),
            Forbidden::Condition(word) => {
                format!(
                    "'{word}' makes a condition, which is not made from a sentence (write a workflow with 'when')"
                )
            }
            Forbidden::Time(word) => format!(
                "'{word}' is about time, which is not made from a sentence (submit the workflow when it is to run)"
            ),
        }
    }
}
