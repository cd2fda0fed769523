//! Whether an entry of a catalogue makes sense.

use serde_json::Value;

use super::params::value_fault;
use super::{Action, Kind, Param};

/// A fault of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEntry {
    /// Where in the entry, as in `params.folds.minimum`; empty for the entry.
    pub path: String,
    /// What is wrong, with the remedy in parentheses.
    pub message: String,
}

/// Longest text of an entry, bytes.
const TEXT_BYTES_MAX: usize = 1_000;
/// Most words, examples, values or parameters of an entry.
const LIST_MAX: usize = 200;

impl Action {
    /// Everything that is wrong with the entry.
    pub fn faults(&self) -> Vec<BadEntry> {
        let mut faults = Vec::new();
        let mut refuse = |path: String, message: String| faults.push(BadEntry { path, message });
        if self.description.trim().is_empty() {
            let message = "the action has no description (say in a sentence what it does)";
            refuse("description".to_owned(), message.to_owned());
        }
        let texts = [&self.words, &self.examples].into_iter().flatten();
        for text in texts
            .chain([&self.description])
            .filter(|text| text.len() > TEXT_BYTES_MAX)
        {
            let start: String = text.chars().take(40).collect();
            refuse(
                String::new(),
                format!("'{start}...' has more than {TEXT_BYTES_MAX} bytes (shorten it)"),
            );
        }
        for (key, list) in [("words", &self.words), ("examples", &self.examples)] {
            if list.len() > LIST_MAX {
                refuse(
                    key.to_owned(),
                    format!("more than {LIST_MAX} entries (keep the usual ones)"),
                );
            }
            if list.iter().any(|text| text.trim().is_empty()) {
                refuse(key.to_owned(), "an entry is empty (remove it)".to_owned());
            }
        }
        if self.params.len() > LIST_MAX {
            refuse(
                "params".to_owned(),
                format!("more than {LIST_MAX} parameters (put some into an object)"),
            );
        }
        if self
            .typical_seconds
            .is_some_and(|seconds| !(seconds > 0.0 && seconds < 1e9))
        {
            let message = "a time is a number of seconds above 0";
            refuse("typical_seconds".to_owned(), message.to_owned());
        }
        for (name, param) in &self.params {
            for (key, message) in param.faults() {
                refuse(format!("params.{name}.{key}"), message);
            }
        }
        faults
    }
}

impl Param {
    fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let is_number = matches!(self.kind, Some(Kind::Number | Kind::Integer));
        for (key, bound) in [("minimum", self.minimum), ("maximum", self.maximum)] {
            if bound.is_some() && !is_number {
                faults.push((
                    key,
                    "only numbers have bounds (set type: number or integer)".to_owned(),
                ));
            }
        }
        if let (Some(minimum), Some(maximum)) = (self.minimum, self.maximum)
            && minimum > maximum
        {
            faults.push((
                "minimum",
                format!("'{minimum}' is above the maximum '{maximum}' (swap them)"),
            ));
        }
        if self.format.is_some() && self.kind != Some(Kind::String) {
            faults.push(("format", "only texts have a form (set type: string)".to_owned()));
        }
        if self.values.len() > LIST_MAX {
            faults.push((
                "values",
                format!("more than {LIST_MAX} values (describe them instead)"),
            ));
        }
        let unlisted = Param {
            values: Vec::new(),
            ..self.clone()
        };
        let misfit = |value: &Value| value_fault(&unlisted, value);
        if let Some(fault) = self.values.iter().find_map(misfit) {
            faults.push(("values", fault));
        }
        if let Some(fault) = self
            .default
            .as_ref()
            .and_then(|default| value_fault(self, default))
        {
            faults.push(("default", fault));
        }
        let is_source = |source: &String| {
            let mut parts = source.split('.');
            let is_name = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
            parts.clone().count() <= 2 && parts.all(is_name) && source != "*"
        };
        if let Some(source) = self.from.iter().find(|source| !is_source(source)) {
            let message = format!("'{source}' names no output (write OUTPUT, ACTION.OUTPUT or ACTION.*)");
            faults.push(("from", message));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_their_place_and_remedy() {
        let text = r#"{"description": "d", "params": {
            "a": {"type": "string", "minimum": 1}, "b": {"type": "integer", "minimum": 3, "maximum": 2},
            "c": {"type": "number", "default": "x"}, "d": {"type": "string", "values": ["x", 1]},
            "e": {"format": "path"}, "f": {"from": ["a.b.c"]}, "g": {"type": "string", "values": ["x"], "default": "y"}}}"#;
        let action: Action = serde_json::from_str(text).unwrap();
        let places: Vec<String> = action.faults().into_iter().map(|fault| fault.path).collect();
        assert_eq!(
            places,
            [
                "params.a.minimum",
                "params.b.minimum",
                "params.c.default",
                "params.d.values",
                "params.e.format",
                "params.f.from",
                "params.g.default"
            ]
        );
        assert_eq!(Action::default().faults()[0].path, "description");
    }
}
