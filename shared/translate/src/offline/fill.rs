//! Values of parameters that a sentence names.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::clauses::Clause;
use super::text::{Kind, Token, stem, stems};
use crate::catalogue::{Action, Format, Kind as ValueKind, Param};

/// What a clause says about the parameters of an action.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Values by parameter.
    pub values: Map<String, Value>,
    /// Several values of one parameter, where only one fits: the step is done once for each.
    pub each: Option<(String, Vec<Value>)>,
}

/// Finds the values that a clause names; the tokens that name them are added to `used`.
pub(super) fn named(tokens: &[Token], clause: &Clause, action: &Action, used: &mut BTreeSet<usize>) -> Named {
    let mut named = Named::default();
    for (name, param) in &action.params {
        let found = match param.kind {
            _ if !param.values.is_empty() => {
                let mut values = listed(tokens, clause, param, used);
                if values.len() > 1 {
                    named.each = Some((name.clone(), values));
                    continue;
                }
                values.pop()
            }
            Some(ValueKind::Number | ValueKind::Integer) => number(tokens, clause, name, param, used),
            Some(ValueKind::String) if param.format == Some(Format::Email) => email(tokens, clause, used),
            Some(ValueKind::String) if param.format.is_none() => text(tokens, clause, name, param, used),
            _ => None,
        };
        if let Some(value) = found {
            named.values.insert(name.clone(), value);
        }
    }
    named
}

/// A text as a parameter that refers to nothing.
pub(super) fn literal(text: &str) -> Value {
    Value::String(text.replace("${", "$${"))
}

/// Values of a closed list that are named, in the order of the sentence.
fn listed(tokens: &[Token], clause: &Clause, param: &Param, used: &mut BTreeSet<usize>) -> Vec<Value> {
    let mut found: Vec<(usize, Value)> = Vec::new();
    for value in &param.values {
        let Some(words) = value.as_str().map(stems).filter(|words| !words.is_empty()) else {
            continue;
        };
        let stands = |start: &usize| {
            let near = tokens.get(*start..start + words.len());
            near.is_some_and(|near| {
                near.iter()
                    .zip(&words)
                    .all(|(token, word)| token.kind == Kind::Word && token.stem == *word)
            })
        };
        if let Some(start) = clause
            .tokens
            .clone()
            .filter(|start| start + words.len() <= clause.tokens.end)
            .find(stands)
        {
            used.extend(start..start + words.len());
            found.push((start, value.clone()));
        }
    }
    found.sort_by_key(|(start, _)| *start);
    found.into_iter().map(|(_, value)| value).collect()
}

/// The words by which a parameter is named.
fn names(name: &str, param: &Param) -> Vec<String> {
    let words = param.words.iter().map(|word| stem(&word.to_lowercase()));
    words.chain(stems(name)).collect()
}

/// A number beside a name of the parameter: `5 folds`, `folds=5`, `test fraction of 0.2`.
fn number(
    tokens: &[Token],
    clause: &Clause,
    name: &str,
    param: &Param,
    used: &mut BTreeSet<usize>,
) -> Option<Value> {
    const NEAR: usize = 3;
    let names = names(name, param);
    let is_name = |at: usize| tokens[at].kind == Kind::Word && names.contains(&tokens[at].stem);
    for at in clause.tokens.clone().filter(|at| !used.contains(at)) {
        let Kind::Number(number) = tokens[at].kind else {
            continue;
        };
        let is_whole = number.fract() == 0.0;
        if param.kind == Some(ValueKind::Integer) && !is_whole
            || param.minimum.is_some_and(|minimum| number < minimum)
            || param.maximum.is_some_and(|maximum| number > maximum)
        {
            continue;
        }
        let behind = (at + 1..clause.tokens.end.min(at + 1 + NEAR))
            .take_while(|at| !matches!(tokens[*at].kind, Kind::Number(_)));
        let before = (clause.tokens.start.max(at.saturating_sub(NEAR))..at).rev();
        let before = before.take_while(|at| !matches!(tokens[*at].kind, Kind::Number(_)));
        if let Some(by) = behind.chain(before).find(|at| is_name(*at)) {
            used.extend([at, by]);
            return Some(if is_whole {
                json!(number as i64)
            } else {
                json!(number)
            });
        }
    }
    None
}

fn email(tokens: &[Token], clause: &Clause, used: &mut BTreeSet<usize>) -> Option<Value> {
    let at = clause.tokens.clone().find(|at| tokens[*at].kind == Kind::Email)?;
    used.insert(at);
    Some(literal(&tokens[at].raw))
}

/// `target=churn`, `target: churn`, `target "is churned"`.
fn text(
    tokens: &[Token],
    clause: &Clause,
    name: &str,
    param: &Param,
    used: &mut BTreeSet<usize>,
) -> Option<Value> {
    let names = names(name, param);
    for at in clause.tokens.clone() {
        if tokens[at].kind != Kind::Word || !names.contains(&tokens[at].stem) {
            continue;
        }
        let is_joined = tokens.get(at + 1).is_some_and(|next| next.is_mark('='));
        let value = if is_joined { at + 2 } else { at + 1 };
        let Some(token) = tokens.get(value).filter(|_| value < clause.tokens.end) else {
            continue;
        };
        let fits = token.kind == Kind::Quoted || is_joined && token.kind == Kind::Word;
        if fits {
            used.extend(at..=value);
            return Some(literal(&token.raw));
        }
    }
    None
}

/// Paths of a clause that nothing has taken, in order.
pub(super) fn paths(tokens: &[Token], clause: &Clause, used: &BTreeSet<usize>) -> Vec<usize> {
    let is_path = |at: &usize| tokens[*at].kind == Kind::Path && !used.contains(at);
    clause.tokens.clone().filter(is_path).collect()
}
