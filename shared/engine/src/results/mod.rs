//! Results of tasks that may be reused (`cache: true`): what they are kept under, and how they are found, kept and forgotten.
//!
//! A lookup belongs to a decision: after the policy has allowed a task, before slots are taken for it. What it found goes into
//! the journal with the decision. Keeping and forgetting are effects of an append. The cache may fail at any time: that costs an
//! execution, and is said in the log.

mod kept;
mod key;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use orchestrator_core::ids::{AttemptKey, NodeIx};
use orchestrator_core::policy::Verdict;
use orchestrator_core::run::{Answer, Found, Lookup, ResultKey, RunState};

pub use kept::Kept;

use crate::drive::Session;
use crate::engine::Engine;
use crate::ports::cache::VALUE_BYTES_MAX;
use crate::ports::{Cache as _, Compute as _, Ports};
use crate::trace::run::trace_id_of;
use key::Keys;

/// What the keys of results begin with in the cache.
pub const PREFIX: &str = "result:";

/// Calls of the cache at a time.
const CALLS_AT_ONCE: usize = 16;

/// Bytes of kept results after which no more are looked for in one append; what is being looked for by then still goes into it.
const BYTES_PER_TURN: usize = 1 << 20;

/// Results forgotten in one turn; a rollback that takes back more leaves the rest to expire.
const FORGOTTEN_MAX: usize = 10_000;

/// What looking for results came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct LookedUp {
    /// Whether a result was found.
    pub has_hits: bool,
    /// Whether READY tasks were left out, because what was found fills the append.
    pub has_left_out: bool,
}

impl<P: Ports> Engine<P> {
    /// Looks for the results of the allowed tasks that may be reused, and notes in their answers what was found. Tasks that
    /// stand in line were looked for before they did; those that were granted their slots now (`is_granted`) are looked for
    /// again, because it may be long ago. `bytes` counts what was found for this append.
    pub(crate) async fn look_up(
        &self,
        session: &Session,
        answers: &mut Vec<Answer>,
        is_granted: impl Fn(NodeIx) -> bool,
        bytes: &mut usize,
    ) -> LookedUp {
        let state = session.state();
        let may_reuse =
            |answer: &Answer| answer.choice.verdict == Verdict::Allow && state.task_of(answer.node).cache;
        let mut looked_up = LookedUp::default();
        if !answers.iter().any(may_reuse) {
            return looked_up;
        }
        let (candidates, others) = std::mem::take(answers).into_iter().partition(may_reuse);
        *answers = others;
        let mut candidates = Vec::into_iter(candidates).peekable();
        let mut keys = Keys::default();
        // A host may look at files for it: once for each agent, not for each task.
        let mut versions = BTreeMap::new();
        while candidates.peek().is_some() {
            let is_full = *bytes >= BYTES_PER_TURN;
            let mut asked = Vec::new();
            for mut answer in candidates.by_ref().take(CALLS_AT_ONCE) {
                let node = answer.node;
                let agent = &state.task_of(node).agent;
                let version = versions
                    .entry(agent)
                    .or_insert_with(|| self.ports.compute().version_of(agent));
                let Some(key) = keys.key_of(state, node, &answer.choice, version) else {
                    answers.push(answer);
                    continue;
                };
                let waits = state.node(node).waits_for_pool();
                let known = match () {
                    () if state.submission.is_fresh => Some(Found::Unwanted),
                    () if state.is_taken_back(node) => Some(Found::TakenBack),
                    () if waits && (is_full || !is_granted(node)) => Some(Found::Nothing),
                    () => None,
                };
                match known {
                    Some(found) => {
                        answer.lookup = Some(Arc::new(Lookup { key, found }));
                        answers.push(answer);
                    }
                    None if is_full => looked_up.has_left_out = true,
                    None => asked.push((answer, key)),
                }
            }
            let calls = asked.iter().map(|(_, key)| self.find(session, *key));
            let found = join_all(calls).await;
            for ((mut answer, key), found) in asked.into_iter().zip(found) {
                let found = match found {
                    Ok((kept, length)) => {
                        looked_up.has_hits = true;
                        *bytes += length;
                        answer.output = kept.output;
                        Found::Kept(kept.origin)
                    }
                    Err(found) => found,
                };
                answer.lookup = Some(Arc::new(Lookup { key, found }));
                answers.push(answer);
            }
        }
        looked_up
    }

    /// What is kept under a key, with its length; or why there is nothing.
    async fn find(&self, session: &Session, key: ResultKey) -> Result<(Kept, usize), Found> {
        match self.ports.cache().get(&name_of(key), session.now()).await {
            Ok(None) => Err(Found::Nothing),
            Ok(Some(bytes)) => match Kept::decode(&bytes) {
                Ok(kept) => Ok((kept, bytes.len())),
                Err(detail) => {
                    warn(
                        session.state(),
                        "a kept result cannot be read: its task is done",
                        &detail,
                    );
                    Err(Found::Unreachable)
                }
            },
            Err(error) => {
                let what = "the cache of results cannot be asked: the task is done";
                warn(session.state(), what, &error);
                Err(Found::Unreachable)
            }
        }
    }

    /// Keeps the results of attempts that have just succeeded.
    pub(crate) async fn keep(&self, session: &Session, attempts: &[AttemptKey]) {
        for chunk in attempts.chunks(CALLS_AT_ONCE) {
            join_all(chunk.iter().map(|key| self.keep_one(session, *key))).await;
        }
    }

    async fn keep_one(&self, session: &Session, attempt: AttemptKey) {
        let (state, now) = (session.state(), session.now());
        let Some((key, kept)) = Kept::of(state, attempt) else {
            return;
        };
        let value = kept.encode();
        if value.len() > VALUE_BYTES_MAX {
            let (task_id, bytes) = (state.name_of(attempt.node), value.len());
            let trace_id = trace_id_of(&state.submission);
            tracing::info!(run_id = %state.id(), task_id, %trace_id, bytes, bytes_max = VALUE_BYTES_MAX,
                "a result is too large to be kept: the task is done each time");
            return;
        }
        let expires_at = now + self.options.results_kept_ms;
        let (cache, name) = (self.ports.cache(), name_of(key));
        if let Err(error) = cache.put(&name, &value, now, expires_at).await {
            warn(state, "a result could not be kept", &error);
        }
    }

    /// Forgets results that were taken back.
    pub(crate) async fn forget(&self, session: &Session, results: &[ResultKey]) {
        let (now, later) = results.split_at(results.len().min(FORGOTTEN_MAX));
        if !later.is_empty() {
            let detail = format!("{} of {}", later.len(), results.len());
            let what = "so many results were taken back that some are left to expire";
            warn(session.state(), what, &detail);
        }
        for chunk in now.chunks(CALLS_AT_ONCE) {
            let names: Vec<String> = chunk.iter().map(|key| name_of(*key)).collect();
            let removed = join_all(names.iter().map(|name| self.ports.cache().remove(name))).await;
            if let Some(error) = removed.into_iter().find_map(Result::err) {
                let what =
                    "results that were taken back could not be forgotten: other runs may still reuse them";
                warn(session.state(), what, &error);
            }
        }
    }
}

fn name_of(key: ResultKey) -> String {
    format!("{PREFIX}{key}")
}

fn warn(state: &RunState, what: &str, detail: &impl std::fmt::Display) {
    let trace_id = trace_id_of(&state.submission);
    tracing::warn!(run_id = %state.id(), %trace_id, %detail, "{what}");
}
