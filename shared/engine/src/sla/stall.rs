//! Runs that go on and in which nothing can happen any more, or nothing that anybody seems to be doing.

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::HoldReason;
use orchestrator_core::run::{RunState, RunStatus, TaskStatus};
use orchestrator_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a run does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StallCause {
    /// A task is READY and the policy was not asked: a message was lost. The next look of the sweep repairs it.
    NobodyDecides,
    /// A task wants slots of a pool that can never give them.
    ImpossiblePool,
    /// Attempts are QUEUED, and no agent takes them.
    NobodyStarts,
    /// Tasks are held until somebody approves or rejects them.
    NobodyAnswers,
}

/// A run that does not move, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// Why.
    pub cause: StallCause,
    /// Since when.
    pub since: Timestamp,
    /// The task that waits longest for it.
    pub node: NodeIx,
    /// How many wait for the same.
    pub tasks: usize,
}

impl StallCause {
    /// How long this may last before it counts, milliseconds.
    fn patience_ms(self) -> u64 {
        match self {
            StallCause::NobodyDecides => 60_000,
            StallCause::ImpossiblePool => 0,
            StallCause::NobodyStarts => 900_000,
            StallCause::NobodyAnswers => 3_600_000,
        }
    }

    /// In one sentence, with what to do about it.
    pub fn text(self) -> &'static str {
        match self {
            StallCause::NobodyDecides => {
                "a READY task waits for a decision that does not come (the next look of the sweep asks for it again)"
            }
            StallCause::ImpossiblePool => {
                "a task wants more slots of a pool than there are (raise the pool's capacity, or reject the task)"
            }
            StallCause::NobodyStarts => {
                "attempts are queued and no agent starts them (is the agent running?)"
            }
            StallCause::NobodyAnswers => "tasks are held until somebody decides (approve or reject them)",
        }
    }
}

impl Stall {
    /// Whether nothing runs in this run and nothing will become due by itself, and why.
    pub fn of(state: &RunState, now: Timestamp) -> Option<Stall> {
        let moves = state.next_timer().is_some()
            || state
                .live()
                .any(|key| state.node(key.node).status == TaskStatus::Running);
        if state.status != RunStatus::Running || moves {
            return None;
        }
        let candidates = state
            .ready()
            .chain(state.held())
            .chain(state.live().map(|key| key.node));
        let waits = candidates.filter_map(|node| {
            let entry = state.node(node);
            let cause = match (entry.status, entry.hold) {
                (TaskStatus::Ready, _) => StallCause::NobodyDecides,
                (TaskStatus::Queued, _) => StallCause::NobodyStarts,
                (_, Some(HoldReason::Policy)) if !entry.full_pools.is_empty() => StallCause::ImpossiblePool,
                (_, Some(HoldReason::Approval | HoldReason::Denied | HoldReason::Policy)) => {
                    StallCause::NobodyAnswers
                }
                // Another run's attempts hold the slots, or a budget is used up.
                _ => return None,
            };
            let since = entry.queued_at.filter(|_| entry.status == TaskStatus::Queued);
            let since = since.or(entry.ready_at).unwrap_or(now);
            (now - since >= cause.patience_ms()).then_some((cause, since, node))
        });
        let waits: Vec<_> = waits.collect();
        let &(cause, since, node) = waits.iter().min()?;
        let tasks = waits.iter().filter(|(other, ..)| *other == cause).count();
        Some(Stall {
            cause,
            since,
            node,
            tasks,
        })
    }
}
