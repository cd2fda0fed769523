//! Catalogues that are part of the program, for agents with usual names.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use orchestrator_core::workflow::{Limits, typed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Agent, Catalogue, Param};

/// A catalogue that is part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shipped {
    /// Loading, profiling, cleaning, training, evaluating, reporting.
    DataScience,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    agents: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    description: String,
    actions: BTreeMap<String, Action>,
}

impl Shipped {
    /// Its text.
    pub fn text(self) -> &'static str {
        match self {
            Shipped::DataScience => include_str!("data_science.yaml"),
        }
    }

    /// Its agents.
    pub fn catalogue(self) -> &'static Catalogue {
        static DATA_SCIENCE: OnceLock<Catalogue> = OnceLock::new();
        DATA_SCIENCE.get_or_init(|| {
            let file: File =
                typed::read(self.text(), &Limits::local_file()).expect("a test reads the catalogue");
            let agents = file.agents.into_iter().map(|(name, entry)| {
                let Entry { description, actions } = entry;
                (name, Agent { description, actions })
            });
            Catalogue::new(agents.collect())
        })
    }
}

impl Action {
    /// This entry, with what it leaves out taken from another.
    pub fn on_top_of(self, base: &Action) -> Action {
        let mut params = base.params.clone();
        for (name, param) in self.params {
            let merged = match base.params.get(&name) {
                Some(base) => param.on_top_of(base),
                None => param,
            };
            params.insert(name, merged);
        }
        Action {
            description: or(self.description, &base.description),
            words: or_list(self.words, &base.words),
            examples: or_list(self.examples, &base.examples),
            params,
            outputs: if self.outputs.is_empty() {
                base.outputs.clone()
            } else {
                self.outputs
            },
            last: self.last.or(base.last),
            typical_seconds: self.typical_seconds.or(base.typical_seconds),
        }
    }
}

impl Param {
    fn on_top_of(self, base: &Param) -> Param {
        Param {
            kind: self.kind.or(base.kind),
            description: or(self.description, &base.description),
            required: self.required.or(base.required),
            default: self.default.or_else(|| base.default.clone()),
            values: or_list(self.values, &base.values),
            minimum: self.minimum.or(base.minimum),
            maximum: self.maximum.or(base.maximum),
            format: self.format.or(base.format),
            words: or_list(self.words, &base.words),
            from: or_list(self.from, &base.from),
            made: self.made.or(base.made),
        }
    }
}

fn or(own: String, base: &str) -> String {
    if own.is_empty() { base.to_owned() } else { own }
}

fn or_list<T: Clone>(own: Vec<T>, base: &[T]) -> Vec<T> {
    if own.is_empty() { base.to_vec() } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_catalogue_has_no_fault() {
        let catalogue = Shipped::DataScience.catalogue();
        for (agent, action, entry) in catalogue.actions() {
            let faults = entry.faults();
            assert!(faults.is_empty(), "{agent}.{action}: {faults:?}");
            assert!(
                !entry.description.is_empty() && !entry.words.is_empty(),
                "{agent}.{action}"
            );
            assert!(!entry.examples.is_empty(), "{agent}.{action}");
        }
        // What tasks hand on exists.
        let outputs: Vec<&str> = catalogue
            .actions()
            .flat_map(|(.., entry)| entry.outputs.keys())
            .map(String::as_str)
            .collect();
        for (agent, action, entry) in catalogue.actions() {
            for source in entry.params.values().flat_map(|param| &param.from) {
                let output = source
                    .split_once('.')
                    .map_or(source.as_str(), |(_, output)| output);
                assert!(
                    output == "*" || outputs.contains(&output),
                    "{agent}.{action} takes '{source}'"
                );
            }
        }
    }

    #[test]
    fn what_an_entry_leaves_out_comes_from_the_shipped_one() {
        let base = Shipped::DataScience
            .catalogue()
            .action("ml_agent", "train_model")
            .unwrap();
        let own: Action = serde_json::from_str(
            r#"{"params": {"train": {"required": true}, "extra": {"type": "boolean"}}}"#,
        )
        .unwrap();
        let merged = own.on_top_of(base);
        assert_eq!(merged.words, base.words);
        assert!(merged.params["train"].is_required() && !base.params["train"].is_required());
        assert_eq!(merged.params["train"].from, base.params["train"].from);
        assert_eq!(merged.params.len(), base.params.len() + 1);
    }
}
