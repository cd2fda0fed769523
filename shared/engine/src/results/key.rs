//! What a result is bound to.

use std::collections::BTreeMap;
use std::io;

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::Choice;
use orchestrator_core::run::{ResultKey, RunState};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::ports::compute::AgentVersion;

/// Changed whenever the same bytes would mean something else.
const FORMAT: &[u8] = b"result 1";

/// Makes keys. What the tasks of a run share is hashed once.
#[derive(Debug, Default)]
pub(super) struct Keys {
    inputs: Option<[u8; 32]>,
    outputs: BTreeMap<NodeIx, [u8; 32]>,
}

impl Keys {
    /// The key of a node's result: the hash of everything its agent is given that the result may depend on. Not part of it are
    /// names and numbers of the place (run, workflow, task, item index, epoch, attempt), checkpoints, the time allowed, and
    /// the priority. `None`: a reference in its parameters has no value.
    pub(super) fn key_of(
        &mut self,
        state: &RunState,
        node: NodeIx,
        choice: &Choice,
        version: &AgentVersion,
    ) -> Option<ResultKey> {
        let task = state.task_of(node);
        let params = task.params.resolve(&state.scope(node)).ok()?;
        let overrides = &choice.overrides;
        let means = json!({
            "resource_class": overrides.resource_class.as_str(),
            "memory_gb": overrides.memory_gb,
            "llm_model": overrides.llm_model,
            "use_distributed": overrides.use_distributed,
            "extra": overrides.extra,
        });
        let mut digest = Sha256::new();
        // Each part with its length, so that parts cannot run into each other.
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(FORMAT);
        add(state.submission.client_id.as_bytes());
        add(task.agent.as_bytes());
        add(&version.0);
        add(task.action.as_bytes());
        add(&hash(&*params));
        add(self.inputs.get_or_insert_with(|| hash(&*state.submission.inputs)));
        add(&hash(&state.item_of(node).map(|(item, _)| item)));
        add(&hash(&means));
        add(&(task.depends_on.len() as u64).to_be_bytes());
        for upstream in &task.depends_on {
            let entry = state.node(*upstream);
            add(state.workflow.task(*upstream).id.as_bytes());
            add(entry.status.as_str().as_bytes());
            let output = || entry.output.as_deref().map_or([0; 32], hash);
            add(self.outputs.entry(*upstream).or_insert_with(output));
        }
        Some(ResultKey(digest.finalize().into()))
    }
}

/// SHA-256 of the value's JSON. Keys of objects are sorted, because maps are.
fn hash(value: &(impl Serialize + ?Sized)) -> [u8; 32] {
    struct Hasher(Sha256);
    impl io::Write for Hasher {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hasher = Hasher(Sha256::new());
    serde_json::to_writer(&mut hasher, value).expect("hashing a value does not fail");
    hasher.0.finalize().into()
}
