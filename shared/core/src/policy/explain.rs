//! How a choice came about, as data: for `explain`, `policy explain` and the comparison of policies.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice::{Choice, Verdict};
use super::prepared::Policy;
use super::question::Question;

/// A choice and the steps that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The choice.
    pub choice: Choice,
    /// What each key and rule contributed, in the order they were asked.
    pub steps: Vec<Step>,
}

/// One contribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The key or rule, as in [`Choice::matched`].
    pub rule: String,
    /// What it did.
    #[serde(flatten)]
    pub effect: Effect,
}

/// What a key or rule did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// It changed a value of the choice.
    Set {
        /// The value's name.
        key: String,
        /// Its value before; `null` when it had none.
        before: Value,
        /// Its value after.
        after: Value,
    },
    /// It denied or held the task.
    Refused {
        /// How.
        verdict: Verdict,
        /// Why.
        reason: String,
    },
    /// Its condition is satisfied and changes nothing.
    Agrees,
    /// Its condition does not hold.
    DoesNotApply,
    /// An earlier rule ended the evaluation.
    NotAsked,
}

/// One value in which two choices differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Path of the value within the choice, as in `overrides.priority`.
    pub key: String,
    /// In the first choice; `null` when absent.
    pub before: Value,
    /// In the second choice; `null` when absent.
    pub after: Value,
}

/// Puts the question and takes notes. The choice is the one that [`super::choose()`] gives.
pub fn explain(policy: &Policy, question: &Question<'_>) -> Explanation {
    let (choice, steps) = super::choose::evaluate(policy, question, true);
    Explanation { choice, steps }
}

/// What would change if `candidate` had answered instead of `current`: nothing but the policy version differs when empty.
pub fn compare(current: &Policy, candidate: &Policy, question: &Question<'_>) -> Vec<Difference> {
    differences(
        &super::choose(current, question),
        &super::choose(candidate, question),
    )
}

/// Where two choices differ, apart from the policy version, the wording of the reason and the names of matched rules.
pub fn differences(before: &Choice, after: &Choice) -> Vec<Difference> {
    let facts = |choice: &Choice| {
        let mut facts = serde_json::to_value(choice).expect("a choice is plain data with text keys");
        if let Value::Object(facts) = &mut facts {
            for wording in ["policy_version", "reason", "matched"] {
                facts.remove(wording);
            }
        }
        facts
    };
    let mut found = Vec::new();
    compare_values("", &facts(before), &facts(after), &mut found);
    found
}

fn compare_values(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    match (before, after) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let value =
                    |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                compare_values(&path, &value(left), &value(right), found);
            }
        }
        _ if before != after => {
            found.push(Difference {
                key: path.to_owned(),
                before: before.clone(),
                after: after.clone(),
            });
        }
        _ => {}
    }
}
