//! A sentence as clauses, one step each, in the order in which they are to be done.

use std::ops::Range;

use super::index::{Hit, Index};
use super::lang::Role;
use super::text::{Kind, Token};

/// A piece of a sentence that asks for one thing, or says more about what was asked for before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause {
    /// Its tokens.
    pub tokens: Range<usize>,
    /// What it asks for; positions count from its beginning.
    pub hit: Option<Hit>,
    /// Whether a word says that it comes after what is before it.
    pub follows: bool,
}

/// Why a sentence is not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tangled {
    /// It has too many parts.
    TooMany,
    /// It begins with what comes later: `before you train, clean it`.
    Backwards,
}

impl Tangled {
    pub fn reason(self) -> &'static str {
        match self {
            Tangled::TooMany => "the text has too many parts (say less at a time)",
            Tangled::Backwards => {
                "the text begins with what comes later (say the steps in the order in which they are to be done)"
            }
        }
    }
}

/// Most clauses of a sentence.
const CLAUSES_MAX: usize = 200;

/// Takes a sentence apart.
pub(super) fn clauses(tokens: &[Token], index: &Index<'_>) -> Result<Vec<Clause>, Tangled> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut start = 0;
    let mut follows = false;
    let mut reversed = false;
    let mut at = 0;
    while at <= tokens.len() {
        let joint = joint(tokens, at);
        if joint == Joint::None {
            at += 1;
            continue;
        }
        let is_empty = !tokens[start..at]
            .iter()
            .any(|token| !matches!(token.kind, Kind::Mark(_)));
        if !is_empty {
            push(&mut clauses, tokens, start..at, follows, index);
            if std::mem::take(&mut reversed) && clauses.len() >= 2 {
                let last = clauses.len() - 1;
                clauses.swap(last, last - 1);
                clauses[last].follows = true;
                clauses[last - 1].follows = false;
            }
            follows = false;
        }
        if clauses.len() > CLAUSES_MAX {
            return Err(Tangled::TooMany);
        }
        if is_empty && tokens.get(at).is_some_and(|token| token.has(Role::Before)) {
            return Err(Tangled::Backwards);
        }
        follows |= joint == Joint::Then;
        reversed = joint == Joint::After && !is_empty;
        at += 1;
        start = at;
    }
    Ok(clauses)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    None,
    And,
    Then,
    /// What follows is to be done before what precedes.
    After,
}

/// What joins the clauses before and behind a token. The end of the sentence is a joint.
fn joint(tokens: &[Token], at: usize) -> Joint {
    let Some(token) = tokens.get(at) else {
        return Joint::And;
    };
    match token.kind {
        Kind::Mark('→' | '>' | '\n' | '.' | ';' | '!' | '?' | '|') => Joint::Then,
        Kind::Mark(',' | '&' | '+' | '•' | '*' | ':') => Joint::And,
        // `1.` and `2)` of a list are followed by marks of their own.
        Kind::Word if token.has(Role::Then) || token.has(Role::Before) => Joint::Then,
        Kind::Word if token.has(Role::And) => Joint::And,
        Kind::Word if token.has(Role::After) && !waits(tokens, at) => Joint::After,
        _ => Joint::None,
    }
}

/// Whether a `once` or `when` is about everything before it: `when it is done`.
pub(super) fn waits(tokens: &[Token], at: usize) -> bool {
    const WORDS_MAX: usize = 6;
    tokens[at].has(Role::When)
        && tokens[at + 1..]
            .iter()
            .take(WORDS_MAX)
            .any(|token| token.has(Role::Done))
}

/// Adds a clause; one that asks for two things without a joint (`after cleaning the data train a model`) becomes two.
fn push(clauses: &mut Vec<Clause>, tokens: &[Token], range: Range<usize>, follows: bool, index: &Index<'_>) {
    let of = |range: Range<usize>, follows| Clause {
        hit: index.ask(&tokens[range.clone()]),
        tokens: range,
        follows,
    };
    let is_after = range.start > 0 && tokens[range.start - 1].has(Role::After);
    let first = of(range.clone(), follows);
    if let Some(hit) = first.hit.as_ref().filter(|_| is_after) {
        let middle = range.start + hit.at[hit.at.len() - 1] + 1;
        let second = of(middle..range.end, true);
        if let Some(next) = second.hit.as_ref().filter(|next| next.entry != hit.entry) {
            let cut = middle + next.at[0];
            clauses.push(of(range.start..cut, follows));
            clauses.push(of(cut..range.end, true));
            return;
        }
    }
    clauses.push(first);
}
