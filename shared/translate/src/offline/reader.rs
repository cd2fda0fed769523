//! Clauses become steps: what each asks for, with which values, how often.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::clauses::Clause;
use super::fill::{self, Named};
use super::index::Index;
use super::reading;
use super::text::{Kind, Token};
use super::wire::Step;
use crate::catalogue::{Format, Kind as ValueKind};
use crate::draft::{Draft, Status};

/// What was read.
pub(super) struct Read {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// Words that nobody understood.
    pub unknown: BTreeSet<String>,
}

/// Makes steps of clauses.
pub(super) struct Reader<'a, 'c> {
    tokens: &'a [Token],
    index: &'a Index<'c>,
    used: BTreeSet<usize>,
    steps: Vec<Step>,
    confidence: f64,
    /// Words that nobody understood, of clauses that ask for something.
    unknown: BTreeSet<String>,
    /// Paths that clauses without a request name.
    spare: Vec<usize>,
}

impl<'a, 'c> Reader<'a, 'c> {
    pub fn new(tokens: &'a [Token], index: &'a Index<'c>) -> Reader<'a, 'c> {
        Reader {
            tokens,
            index,
            used: BTreeSet::new(),
            steps: Vec::new(),
            confidence: 1.0,
            unknown: BTreeSet::new(),
            spare: Vec::new(),
        }
    }

    pub fn read(mut self, clauses: &[Clause]) -> Result<Read, Draft> {
        for clause in clauses {
            if let Some(forbidden) = reading::forbidden(self.tokens, clause) {
                let status = match forbidden {
                    reading::Forbidden::Dangerous(_) => Status::Refused,
                    _ => Status::Ambiguous,
                };
                return Err(Draft::without(status, 0.9, forbidden.reason()));
            }
        }
        for clause in clauses {
            match &clause.hit {
                Some(hit) if !hit.rivals.is_empty() => {
                    let names = std::iter::once(hit.entry).chain(hit.rivals.iter().copied());
                    let names: Vec<String> = names
                        .map(|number| {
                            let entry = self.index.entry(number);
                            format!("{} of {}", entry.name, entry.agent)
                        })
                        .collect();
                    let reason = format!("'{}' could be {}", self.shown(clause), names.join(" or "));
                    return Err(Draft::without(Status::Ambiguous, 0.5, reason));
                }
                Some(hit) => self.ask(clause, hit.entry)?,
                None => self.more(clause)?,
            }
        }
        if self.steps.is_empty() {
            return Err(Draft::without(
                Status::Impossible,
                0.9,
                "nothing in the text names what an agent can do",
            ));
        }
        for at in std::mem::take(&mut self.spare) {
            let path = fill::literal(&self.tokens[at].raw);
            if !self.give_path(0, path) {
                return Err(self.no_place(at));
            }
        }
        Ok(Read {
            steps: self.steps,
            confidence: self.confidence,
            unknown: self.unknown,
        })
    }

    /// A clause that asks for something.
    fn ask(&mut self, clause: &Clause, number: usize) -> Result<(), Draft> {
        let action = self.index.entry(number).action;
        let Named { values, each } = fill::named(self.tokens, clause, action, &mut self.used);
        let before = self.steps.len();
        match each {
            None => self.push(number, values, None, clause.follows, false),
            Some((name, several)) => {
                for (place, value) in several.into_iter().enumerate() {
                    let mut values = values.clone();
                    let suffix = value.as_str().map(str::to_owned);
                    values.insert(name.clone(), value);
                    self.push(number, values, suffix, clause.follows, place > 0);
                }
            }
        }
        for at in fill::paths(self.tokens, clause, &self.used) {
            let path = fill::literal(&self.tokens[at].raw);
            self.used.insert(at);
            if !self.give_path(before, path.clone()) {
                // A second file: the same is done with it.
                if !self.repeat_with(path) {
                    return Err(self.no_place(at));
                }
            }
        }
        let sureness = reading::sureness(self.tokens, clause, &self.used, self.index);
        self.confidence = self.confidence.min(sureness);
        let unknown = reading::unknown(self.tokens, clause, &self.used, self.index);
        self.unknown
            .extend(unknown.into_iter().map(|(_, token)| token.raw.clone()));
        Ok(())
    }

    /// A clause that asks for nothing: more about the step before, or the same once more, or something that nobody can do.
    fn more(&mut self, clause: &Clause) -> Result<(), Draft> {
        if let Some(last) = self.steps.last().cloned() {
            let action = self.index.entry(last.entry).action;
            let Named { mut values, each } = fill::named(self.tokens, clause, action, &mut self.used);
            let listed = action
                .params
                .iter()
                .find(|(name, param)| !param.values.is_empty() && values.contains_key(*name));
            let again = match (each, listed) {
                (Some((name, several)), _) => {
                    several.into_iter().map(|value| (name.clone(), value)).collect()
                }
                (None, Some((name, _))) if last.values.contains_key(name) => {
                    let name = name.clone();
                    values
                        .remove(&name)
                        .map(|value| (name, value))
                        .into_iter()
                        .collect()
                }
                _ => Vec::new(),
            };
            if let Some(step) = self.steps.last_mut().filter(|_| again.is_empty()) {
                step.values.extend(values.clone());
            }
            for (name, value) in again {
                let mut repeated = last.values.clone();
                repeated.extend(values.clone());
                let suffix = value.as_str().map(str::to_owned);
                repeated.insert(name.clone(), value);
                self.name_apart(last.entry, &name);
                self.push(last.entry, repeated, suffix, false, true);
            }
        }
        for at in fill::paths(self.tokens, clause, &self.used) {
            self.used.insert(at);
            let path = fill::literal(&self.tokens[at].raw);
            let place = self.steps.len().saturating_sub(1);
            if self.steps.is_empty() {
                self.spare.push(at);
            } else if !self.give_path(place, path.clone()) && !self.repeat_with(path) {
                return Err(self.no_place(at));
            }
        }
        let unknown = reading::unknown(self.tokens, clause, &self.used, self.index);
        let rest_only = unknown.iter().all(|(_, token)| token.kind == Kind::Rest);
        match unknown.first() {
            None => Ok(()),
            Some(_) if rest_only && unknown.len() == 1 && !self.steps.is_empty() => {
                self.confidence = self.confidence.min(0.7);
                Ok(())
            }
            Some(_) => {
                let reason = format!("no agent can do '{}'", self.shown(clause));
                Err(Draft::without(Status::Impossible, 0.8, reason))
            }
        }
    }

    fn push(
        &mut self,
        entry: usize,
        values: Map<String, Value>,
        suffix: Option<String>,
        follows: bool,
        is_sibling: bool,
    ) {
        self.steps.push(Step {
            entry,
            values,
            suffix,
            is_sibling,
            follows,
            source: None,
        });
    }

    /// Names the first of several steps of one action after what tells it from the others.
    fn name_apart(&mut self, entry: usize, param: &str) {
        if let Some(step) = self
            .steps
            .last_mut()
            .filter(|step| step.entry == entry && step.suffix.is_none())
        {
            step.suffix = step.values.get(param).and_then(Value::as_str).map(str::to_owned);
        }
    }

    /// Gives a path to the first step from `from` on that takes one and has none, and to those that do the same beside it.
    fn give_path(&mut self, from: usize, path: Value) -> bool {
        let found = (from..self.steps.len()).find_map(|at| {
            let (name, is_list) = self.place_of_path(at)?;
            let value = if is_list {
                Value::Array(vec![path.clone()])
            } else {
                path.clone()
            };
            Some((at, name, value))
        });
        let Some((at, name, value)) = found else {
            return self.begin_with(from, path);
        };
        let entry = self.steps[at].entry;
        let first = self.first_of(at);
        for step in self.steps[first..]
            .iter_mut()
            .take_while(|step| step.entry == entry)
        {
            step.values.entry(name.clone()).or_insert_with(|| value.clone());
        }
        true
    }

    /// Gives a path to the first step from `from` on that needs what only other steps can make: it begins their chain.
    fn begin_with(&mut self, from: usize, path: Value) -> bool {
        let index = self.index;
        let needs = |at: &usize| {
            let params = &index.entry(self.steps[*at].entry).action.params;
            params
                .values()
                .any(|param| param.is_required() && param.is_made())
        };
        let Some(at) = (from..self.steps.len()).find(needs) else {
            return false;
        };
        let first = self.first_of(at);
        let step = &mut self.steps[first];
        let is_free = step.source.is_none();
        step.source.get_or_insert(path);
        is_free
    }

    /// The first of the steps that do the same beside this one.
    fn first_of(&self, at: usize) -> usize {
        let is_sibling = |before: &usize| self.steps[*before + 1].is_sibling;
        (0..at).rev().take_while(is_sibling).last().unwrap_or(at)
    }

    /// The parameter that takes a path and has none yet, those that must be given first; and whether it is a list.
    fn place_of_path(&self, at: usize) -> Option<(String, bool)> {
        const USUAL: [&str; 3] = ["path", "train", "data"];
        let step = &self.steps[at];
        let params = &self.index.entry(step.entry).action.params;
        let takes = |(name, param): &(&String, &crate::catalogue::Param)| {
            param.takes_file() && !step.values.contains_key(*name)
        };
        let is_there = |param: &crate::catalogue::Param| {
            let outputs = self.steps[..at]
                .iter()
                .flat_map(|step| self.index.entry(step.entry).action.outputs.keys());
            outputs.into_iter().any(|output| param.from.contains(output))
        };
        let required = params
            .iter()
            .filter(|(_, param)| param.is_required() && !is_there(param))
            .find(takes);
        let usual = || {
            USUAL
                .iter()
                .filter_map(|name| params.get_key_value(*name))
                .find(takes)
        };
        let has_one = || {
            step.values
                .keys()
                .any(|name| params[name].format == Some(Format::Path))
        };
        let (name, param) = required.or_else(|| if has_one() { None } else { usual() })?;
        Some((name.clone(), param.kind == Some(ValueKind::List)))
    }

    /// Does the last step once more, with another file.
    fn repeat_with(&mut self, path: Value) -> bool {
        let Some(last) = self.steps.last().cloned() else {
            return false;
        };
        let params = &self.index.entry(last.entry).action.params;
        let is_path = |name: &&String| params[*name].format == Some(Format::Path);
        let Some(name) = last.values.keys().find(is_path).cloned() else {
            return false;
        };
        let mut values = last.values;
        values.insert(name, path);
        self.push(last.entry, values, last.suffix, false, true);
        true
    }

    fn no_place(&self, at: usize) -> Draft {
        let reason = format!(
            "it is not clear what is to be done with '{}'",
            self.tokens[at].raw
        );
        Draft::without(Status::Ambiguous, 0.5, reason)
    }

    fn shown(&self, clause: &Clause) -> String {
        let words: Vec<&str> = self.tokens[clause.tokens.clone()]
            .iter()
            .map(|token| token.raw.as_str())
            .collect();
        words.join(" ").chars().take(80).collect()
    }
}
