//! The catalogue, for people and programs.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::policy::Policy;
use orchestrator_translate::Catalogue;
use orchestrator_translate::catalogue::Action;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentList {
    /// Sorted by name.
    pub agents: Vec<AgentEntry>,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentEntry {
    /// Its name.
    pub name: String,
    /// What it is for; empty when it does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its actions by name; empty when it does not say: it takes any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub actions: BTreeMap<String, Action>,
    /// Actions among them that the policy denies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<String>,
}

impl AgentList {
    /// The agents with these names and those of the catalogue.
    pub fn of(names: Option<&BTreeSet<String>>, catalogue: &Catalogue, policy: &Policy) -> AgentList {
        let described = catalogue.agents().keys();
        let names: BTreeSet<&String> = names.into_iter().flatten().chain(described).collect();
        let agents = names.into_iter().map(|name| {
            let entry = catalogue.agents().get(name).cloned().unwrap_or_default();
            let blocked = entry
                .actions
                .keys()
                .filter(|action| policy.is_blocked(action))
                .cloned();
            AgentEntry {
                name: name.clone(),
                blocked: blocked.collect(),
                description: entry.description,
                actions: entry.actions,
            }
        });
        AgentList {
            agents: agents.collect(),
        }
    }
}
