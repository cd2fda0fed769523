//! What could be asked for instead.

use orchestrator_core::policy::Policy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::Catalogue;
use crate::offline::Index;

/// Something that could be asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    /// The agent.
    pub agent: String,
    /// The action.
    pub action: String,
    /// What it does.
    pub description: String,
    /// A sentence that asks for it.
    pub example: String,
}

/// Most suggestions.
pub const SUGGESTIONS_MAX: usize = 20;

/// Actions of the catalogue that come nearest to a text, the nearest first; when none does, the first of each agent. What the policy
/// blocks is not suggested.
pub fn suggest(text: &str, catalogue: &Catalogue, policy: &Policy, count: usize) -> Vec<Suggestion> {
    let index = Index::new(catalogue);
    let entries = index.entries();
    let is_allowed = |number: &usize| !policy.is_blocked(entries[*number].name);
    let mut numbers: Vec<usize> = index
        .nearest(text)
        .into_iter()
        .map(|(number, _)| number)
        .filter(is_allowed)
        .collect();
    if numbers.is_empty() {
        let all: Vec<usize> = (0..entries.len()).filter(is_allowed).collect();
        let is_first =
            |place: &usize| *place == 0 || entries[all[*place]].agent != entries[all[place - 1]].agent;
        numbers = (0..all.len()).filter(is_first).map(|place| all[place]).collect();
    }
    let allowed = numbers.into_iter().map(|number| &entries[number]);
    let suggestion = |entry: &crate::offline::Entry<'_>| Suggestion {
        agent: entry.agent.to_owned(),
        action: entry.name.to_owned(),
        description: entry.action.description.clone(),
        example: entry
            .action
            .examples
            .first()
            .cloned()
            .unwrap_or_else(|| entry.name.replace('_', " ")),
    };
    allowed.take(count.min(SUGGESTIONS_MAX)).map(suggestion).collect()
}
