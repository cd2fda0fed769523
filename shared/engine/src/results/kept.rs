//! What is kept of a result.

use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::{Origin, ResultKey, RunState, TaskStatus};
use orchestrator_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A result with the execution it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The execution.
    pub origin: Origin,
    /// The output; `None` when there is none.
    pub output: Option<Arc<Value>>,
}

/// Its form in the cache, JSON. A form that is not known is not read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    run: RunId,
    task: String,
    epoch: u32,
    attempt: u32,
    at: i64,
    run_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Arc<Value>>,
    /// Whether there is an output: a `null` is one, too.
    has_output: bool,
}

impl Kept {
    /// The result of an attempt that has succeeded, and where it is kept; `None` when it is not to be kept.
    pub(super) fn of(state: &RunState, attempt: AttemptKey) -> Option<(ResultKey, Kept)> {
        let entry = state.node(attempt.node);
        let lookup = entry.lookup.as_ref().filter(|lookup| !lookup.is_hit())?;
        let finished = entry
            .finished_at
            .filter(|_| entry.status == TaskStatus::Success)?;
        let started = entry.started_at.unwrap_or(finished);
        let origin = Origin {
            run: attempt.run,
            task: state.name_of(attempt.node),
            epoch: attempt.epoch,
            attempt: attempt.attempt,
            at: finished,
            run_ms: finished.millis_since(started),
        };
        let output = entry.output.clone();
        Some((lookup.key, Kept { origin, output }))
    }

    /// As it is kept.
    pub fn encode(&self) -> Vec<u8> {
        let Origin {
            run,
            task,
            epoch,
            attempt,
            at,
            run_ms,
        } = self.origin.clone();
        let form = Form {
            run,
            task,
            epoch,
            attempt,
            at: at.0,
            run_ms,
            has_output: self.output.is_some(),
            output: self.output.clone(),
        };
        serde_json::to_vec(&form).expect("a result is plain data with text keys")
    }

    /// The inverse of [`Kept::encode`].
    ///
    /// # Errors
    /// With what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Kept, String> {
        let form: Form = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        Ok(Kept {
            origin: Origin {
                run: form.run,
                task: form.task,
                epoch: form.epoch,
                attempt: form.attempt,
                at: Timestamp(form.at),
                run_ms: form.run_ms,
            },
            output: match form.has_output {
                true => Some(form.output.unwrap_or_default()),
                false => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_nothing_else_is() {
        let origin = Origin {
            run: RunId::from_parts(1, 2),
            task: "each[3]".to_owned(),
            epoch: 2,
            attempt: 3,
            at: Timestamp(-5),
            run_ms: 7,
        };
        for output in [None, Some(json!(null)), Some(json!({"a": [1.5, "x"]}))] {
            let kept = Kept {
                origin: origin.clone(),
                output: output.map(Arc::new),
            };
            assert_eq!(Kept::decode(&kept.encode()), Ok(kept));
        }
        for bytes in [&b""[..], b"{}", b"null", br#"{"run": "x"}"#] {
            assert!(Kept::decode(bytes).is_err());
        }
    }
}
