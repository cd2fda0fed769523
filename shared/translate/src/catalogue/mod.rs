//! What agents can do, in words: their actions, the parameters of those, what they put out, and how people ask for them.
//!
//! It comes from the `agents:` of a configuration. The validator holds workflows against it, translators choose from it, people
//! read it (`orchestrator agents`).

mod check;
mod params;
mod shipped;

use std::collections::BTreeMap;

use orchestrator_core::workflow::Workflow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use check::BadEntry;
pub use params::Finding;
pub use shipped::Shipped;

/// The agents that say what they can do, by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Catalogue {
    agents: BTreeMap<String, Agent>,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Agent {
    /// What it is for.
    pub description: String,
    /// Its actions by name; empty: it does not say, and takes any.
    pub actions: BTreeMap<String, Action>,
}

/// One action of an agent. Every key is optional where it adds to a shipped entry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// What it does, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Words and phrases by which people ask for it, in any language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// Sentences that ask for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// Its parameters by name; others are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Param>,
    /// The keys of its output, each with what it holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// Whether it follows everything that was asked for before it, as a report does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<bool>,
    /// How long it usually takes, seconds; for estimates, until there are measurements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical_seconds: Option<f64>,
}

/// One parameter of an action. Every key is optional where it adds to a shipped entry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// The type of its values; absent: any.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether a task must give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// What a translation gives when the sentence says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values it may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
    /// The smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The form of its texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Words by which people name it, besides its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// Outputs of earlier tasks that it takes, the best first: `OUTPUT`, `ACTION.OUTPUT`, or `ACTION.*` for all of an output. A
    /// list takes those of all earlier tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Whether only earlier tasks can make it: a file that a sentence names goes to the step that begins the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<bool>,
}

/// Types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    String,
    Number,
    Integer,
    Boolean,
    List,
    Object,
}

/// Forms of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A file or folder of data: a path without `..` and hidden parts, outside the system's folders; or an `s3://`, `gs://` or
    /// `https://` address.
    Path,
    /// An address for mail.
    Email,
}

impl Action {
    /// Whether it follows everything that was asked for before it.
    pub fn is_last(&self) -> bool {
        self.last.unwrap_or(false)
    }
}

impl Param {
    /// Whether only earlier tasks can make it.
    pub fn is_made(&self) -> bool {
        self.made.unwrap_or(false)
    }

    /// Whether a file that a sentence names can be its value.
    pub fn takes_file(&self) -> bool {
        let is_list = self.kind == Some(Kind::List) && !self.from.is_empty();
        (self.format == Some(Format::Path) || is_list) && !self.is_made()
    }

    /// Whether a task must give it.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(false)
    }
}

impl Catalogue {
    /// The catalogue of these agents.
    pub fn new(agents: BTreeMap<String, Agent>) -> Catalogue {
        Catalogue { agents }
    }

    /// The agents by name.
    pub fn agents(&self) -> &BTreeMap<String, Agent> {
        &self.agents
    }

    /// The actions that are described, with their agents, sorted.
    pub fn actions(&self) -> impl Iterator<Item = (&str, &str, &Action)> {
        self.agents.iter().flat_map(|(name, agent)| {
            let actions = agent.actions.iter();
            actions.map(move |(action, entry)| (name.as_str(), action.as_str(), entry))
        })
    }

    /// One action of one agent.
    pub fn action(&self, agent: &str, action: &str) -> Option<&Action> {
        self.agents.get(agent)?.actions.get(action)
    }

    /// What tells this catalogue from another: the SHA-256 of everything in it.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(serde_json::to_vec(self).expect("a catalogue is plain data")).into()
    }

    /// What tasks of a workflow ask for that the catalogue does not have. Agents that do not describe their actions take any.
    pub fn check(&self, workflow: &Workflow) -> Vec<Finding> {
        params::check(self, workflow)
    }
}
