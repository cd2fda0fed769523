//! The words of a catalogue: which action a piece of a sentence asks for, and which come nearest.

use std::collections::{BTreeMap, BTreeSet};

use super::lang;
use super::text::{Kind, Token, is_misspelt, stem, stems, tokens};
use crate::catalogue::{Action, Catalogue};

/// The words of a catalogue, prepared for asking often.
#[derive(Debug)]
pub(crate) struct Index<'c> {
    entries: Vec<Entry<'c>>,
    /// Words that ask for actions, and names of values: what misspelt words are put right to.
    lexicon: BTreeMap<String, String>,
    /// Stems of words that describe parameters and outputs: they go with a request without changing it.
    vocabulary: BTreeSet<String>,
    /// Words of writing without blanks, the longest first.
    unspaced: Vec<String>,
    /// In how many entries a stem occurs.
    frequency: BTreeMap<String, usize>,
}

/// One action.
#[derive(Debug)]
pub(crate) struct Entry<'c> {
    pub agent: &'c str,
    pub name: &'c str,
    pub action: &'c Action,
    phrases: Vec<Vec<String>>,
    /// Stems of everything said about it.
    bag: BTreeSet<String>,
}

/// An action that a piece of a sentence asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hit {
    /// Its number.
    pub entry: usize,
    /// The tokens that ask for it.
    pub at: Vec<usize>,
    /// Whether one of them was misspelt.
    pub corrected: bool,
    /// Others for which the same words ask.
    pub rivals: Vec<usize>,
}

/// Other words allowed between two words of a phrase.
const GAP_MAX: usize = 3;

impl<'c> Index<'c> {
    pub(crate) fn new(catalogue: &'c Catalogue) -> Index<'c> {
        let mut index = Index {
            entries: Vec::new(),
            lexicon: BTreeMap::new(),
            vocabulary: BTreeSet::new(),
            unspaced: Vec::new(),
            frequency: BTreeMap::new(),
        };
        let mut unspaced: BTreeSet<String> = lang::unspaced().map(str::to_owned).collect();
        for (agent, name, action) in catalogue.actions() {
            let phrases: Vec<Vec<String>> = action
                .words
                .iter()
                .map(|words| stems(words))
                .chain([stems(name)])
                .filter(|phrase| !phrase.is_empty())
                .collect();
            let words = action
                .words
                .iter()
                .flat_map(|words| words.split_whitespace())
                .chain(name.split('_'));
            for word in words.chain(values(action)) {
                let word = word.to_lowercase();
                if word.chars().any(lang::is_unspaced) {
                    unspaced.insert(word);
                } else {
                    index.lexicon.entry(stem(&word)).or_insert(word);
                }
            }
            for (key, param) in &action.params {
                let words = param
                    .words
                    .iter()
                    .map(String::as_str)
                    .chain([key.as_str(), param.description.as_str()]);
                index.vocabulary.extend(words.flat_map(stems));
            }
            index
                .vocabulary
                .extend(action.outputs.keys().flat_map(|key| stems(key)));
            let said = action
                .words
                .iter()
                .chain(&action.examples)
                .chain([&action.description]);
            let bag: BTreeSet<String> = said
                .flat_map(|text| stems(text))
                .chain(stems(name))
                .chain(stems(agent))
                .collect();
            for stem in &bag {
                *index.frequency.entry(stem.clone()).or_default() += 1;
            }
            index.entries.push(Entry {
                agent,
                name,
                action,
                phrases,
                bag,
            });
        }
        index.unspaced = unspaced.into_iter().collect();
        index.unspaced.sort_by_key(|word| std::cmp::Reverse(word.len()));
        index
    }

    pub(super) fn entry(&self, number: usize) -> &Entry<'c> {
        &self.entries[number]
    }

    /// Numbers of the actions with this output; with `action`, of that name only.
    pub(super) fn producers(&self, action: Option<&str>, output: &str) -> Vec<usize> {
        let makes = |entry: &Entry<'_>| {
            let is_named = action.is_none_or(|action| entry.name == action);
            is_named && (output == "*" || entry.action.outputs.contains_key(output))
        };
        (0..self.entries.len())
            .filter(|number| makes(&self.entries[*number]))
            .collect()
    }

    /// The tokens of a sentence, misspelt words put right.
    pub(super) fn tokens(&self, text: &str) -> Vec<Token> {
        let mut tokens = tokens(text, &self.unspaced);
        for token in &mut tokens {
            let is_known = lang::is_known(&token.text)
                || self.lexicon.contains_key(&token.stem)
                || self.vocabulary.contains(&token.stem);
            if token.kind != Kind::Word || is_known {
                continue;
            }
            let meant = self
                .lexicon
                .iter()
                .find(|(_, word)| is_misspelt(&token.text, word));
            let stemmed = || {
                self.lexicon
                    .iter()
                    .find(|(stem, _)| is_misspelt(&token.stem, stem))
            };
            if let Some((stem, word)) = meant.or_else(stemmed) {
                token.text = word.clone();
                token.stem = stem.clone();
                token.corrected = true;
            }
        }
        tokens
    }

    /// Whether a word goes with any request.
    pub(super) fn explains(&self, token: &Token) -> bool {
        self.vocabulary.contains(&token.stem)
    }

    /// The action that the tokens ask for: what is said first counts, then the longest phrase.
    pub(super) fn ask(&self, tokens: &[Token]) -> Option<Hit> {
        let mut best: Option<(usize, usize, Hit)> = None;
        for (number, entry) in self.entries.iter().enumerate() {
            for phrase in &entry.phrases {
                let Some(at) = find(phrase, tokens) else {
                    continue;
                };
                let (length, start) = (at.len(), at[0]);
                match &mut best {
                    Some((best_length, best_start, hit))
                        if (*best_length, *best_start) == (length, start) =>
                    {
                        if hit.entry != number && !hit.rivals.contains(&number) {
                            hit.rivals.push(number);
                        }
                    }
                    Some((best_length, best_start, _))
                        if *best_start < start || *best_start == start && *best_length > length => {}
                    _ => {
                        let corrected = at.iter().any(|at| tokens[*at].corrected);
                        let hit = Hit {
                            entry: number,
                            at,
                            corrected,
                            rivals: Vec::new(),
                        };
                        best = Some((length, start, hit));
                    }
                }
            }
        }
        best.map(|(.., hit)| hit)
    }

    /// Numbers of the actions that come nearest, the nearest first, each with how near it is.
    pub(crate) fn nearest(&self, text: &str) -> Vec<(usize, f64)> {
        let tokens = self.tokens(text);
        let words: BTreeSet<&str> = tokens
            .iter()
            .filter(|token| token.kind == Kind::Word && !token.has(lang::Role::Filler))
            .map(|token| token.stem.as_str())
            .collect();
        let total = self.entries.len() as f64;
        let weight = |stem: &str| {
            let frequency = self.frequency.get(stem).copied().unwrap_or(0) as f64;
            (1.0 + total / (1.0 + frequency)).ln()
        };
        let score = |entry: &Entry<'_>| {
            words
                .iter()
                .filter(|word| entry.bag.contains(**word))
                .map(|word| weight(word))
                .sum::<f64>()
        };
        let scores = self
            .entries
            .iter()
            .map(score)
            .enumerate()
            .filter(|(_, score)| *score > 0.0);
        let mut scores: Vec<(usize, f64)> = scores.collect();
        scores.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        scores
    }

    /// All actions.
    pub(crate) fn entries(&self) -> &[Entry<'c>] {
        &self.entries
    }
}

/// The values that parameters may only have, as words.
fn values(action: &Action) -> impl Iterator<Item = &str> {
    let values = action.params.values().flat_map(|param| &param.values);
    values
        .filter_map(serde_json::Value::as_str)
        .flat_map(|value| value.split('_'))
}

/// Where the words of a phrase stand, in order and near each other.
fn find(phrase: &[String], tokens: &[Token]) -> Option<Vec<usize>> {
    let starts = (0..tokens.len()).filter(|at| is_word(&tokens[*at], &phrase[0]));
    for start in starts {
        let mut at = vec![start];
        for word in &phrase[1..] {
            let from = at[at.len() - 1] + 1;
            let near = (from..tokens.len().min(from + GAP_MAX + 1)).find(|at| is_word(&tokens[*at], word));
            match near {
                Some(next) => at.push(next),
                None => break,
            }
        }
        if at.len() == phrase.len() {
            return Some(at);
        }
    }
    None
}

fn is_word(token: &Token, stem: &str) -> bool {
    token.kind == Kind::Word && token.stem == stem
}
