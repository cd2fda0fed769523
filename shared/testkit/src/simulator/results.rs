//! Kept results: what was reused was really made, by the same client, from the same, and was not taken back.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Event, Found, Lookup, ResultKey, RunState};
use serde_json::Value;

use super::coverage::found_name;

/// An execution: run, task, epoch, attempt.
type Execution = (RunId, String, u32, u32);

/// What an execution gave.
#[derive(Debug)]
struct Given {
    client: String,
    key: ResultKey,
    output: Option<Arc<Value>>,
}

/// What executions whose results may be reused have given.
#[derive(Debug, Default)]
pub(super) struct Results(BTreeMap<Execution, Vec<Given>>);

impl Results {
    /// Judges an event, given the run before it; returns what became of a lookup.
    ///
    /// # Errors
    /// With the rule it breaks.
    pub fn check(&mut self, state: &RunState, event: &Event) -> Result<Option<&'static str>, String> {
        match event {
            Event::TaskSucceeded { node, output, .. } => {
                if let Some(lookup) = &state.node(*node).lookup {
                    let key = state.attempt_of(*node);
                    let execution = (key.run, state.name_of(*node), key.epoch, key.attempt);
                    let given = Given {
                        client: state.submission.client_id.clone(),
                        key: lookup.key,
                        output: output.clone(),
                    };
                    // Items that were given up have the names of those that came after them.
                    self.0.entry(execution).or_default().push(given);
                }
                Ok(None)
            }
            Event::TaskQueued { node, lookup, .. } => {
                let may_reuse = state.task_of(*node).cache;
                match lookup.as_deref() {
                    None if may_reuse => broken("nobody looked", event),
                    Some(_) if !may_reuse => broken("somebody looked", event),
                    Some(lookup) if lookup.is_hit() => broken("it was found and is done", event),
                    Some(Lookup {
                        found: Found::TakenBack,
                        ..
                    }) if !state.is_taken_back(*node) => broken("it was not taken back", event),
                    lookup => Ok(lookup.map(|lookup| found_name(&lookup.found))),
                }
            }
            Event::TaskReused {
                node, lookup, output, ..
            } => {
                let Found::Kept(origin) = &lookup.found else {
                    return broken("nothing was found", event);
                };
                if state.is_taken_back(*node) || state.submission.is_fresh {
                    return broken("it was to be done", event);
                }
                let execution = (origin.run, origin.task.clone(), origin.epoch, origin.attempt);
                let client = &state.submission.client_id;
                let is_it = |given: &Given| {
                    given.client == *client && given.key == lookup.key && given.output == *output
                };
                let known = self.0.get(&execution);
                match known.is_some_and(|known| known.iter().any(is_it)) {
                    true => Ok(Some(found_name(&lookup.found))),
                    false => broken(
                        &format!("no execution of this client gave that: {known:?}"),
                        event,
                    ),
                }
            }
            _ => Ok(None),
        }
    }
}

fn broken<T>(what: &str, event: &Event) -> Result<T, String> {
    Err(format!("CACHE-1 broken ({what}): {event:?}"))
}
