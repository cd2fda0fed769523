//! Use case `sla_sweep`: finds runs that may have lost a message and has them recovered.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunState;
use orchestrator_core::time::Timestamp;

use crate::engine::Engine;
use crate::error::Error;
use crate::ports::due_index::{DueIndex, DueRun};
use crate::ports::messages::{Body, Message, Recovery};
use crate::ports::{Clock, Messages, Ports};

/// When a run is looked at for the first time after it was stored, milliseconds. Later looks come after as long as the
/// run has lived, at most [`CHECK_LAST_MS`].
pub const CHECK_FIRST_MS: u64 = 60_000;

/// Longest time between two looks at a run, milliseconds. Shorter than the longest delay of a wake-up, so that a time that
/// was too far away for one is asked for by a look in between; and shorter than the default deadline of a task until its
/// warning, so that such deadlines need neither messages nor looks of their own.
pub const CHECK_LAST_MS: u64 = 450_000;

/// By how much the clocks of two functions, or of a function and a queue, may differ, milliseconds.
pub const CLOCKS_DIFFER_MS: u64 = 5_000;

/// Longest time from a decision until its append can be seen by a look, milliseconds: what a function has to work, and the difference
/// of clocks.
pub const UNSEEN_MS: u64 = 60_000 + CLOCKS_DIFFER_MS;

/// The longest time until a run is looked at, milliseconds: often enough that every deadline which a turn sets is preceded
/// by a look, unless it is nearer than [`CHECK_FIRST_MS`]. That look asks for a wake-up where one is needed, so deadlines
/// cost looks per run, not messages per task.
pub fn look_within_ms(state: &RunState, now: Timestamp) -> u64 {
    let usual = usual_look_ms(state.id(), now);
    match state.soonest_deadline_ms() {
        Some(soonest) => usual.min(soonest.max(CHECK_FIRST_MS)),
        None => usual,
    }
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Runs that were told to recover.
    pub runs: usize,
    /// How late the most overdue of them was, milliseconds.
    pub lag_ms: u64,
    /// Whether there may be more.
    pub is_full: bool,
}

impl<P: Ports> Engine<P> {
    /// Tells at most `limit` runs that are due to recover. The cost follows what is due, not what is active.
    ///
    /// # Errors
    /// When the index or the messages cannot be reached; sweeping again settles it.
    pub async fn sweep(&self, index: &impl DueIndex, limit: usize) -> Result<Swept, Error> {
        let now = self.ports.clock().now();
        let due = index.due(now, limit).await?;
        let recover = |due: &DueRun| Message {
            run: due.run,
            body: Body::Recover(Recovery::look(looked_at_before(due))),
        };
        if !due.is_empty() {
            // Sent before they are postponed: a sweep that dies between the two tells them twice, not never.
            self.ports
                .messages()
                .send(due.iter().map(recover).collect())
                .await?;
        }
        for run in &due {
            index.postpone(*run, now + usual_look_ms(run.run, now)).await?;
        }
        let lag_ms = due.iter().map(|run| now.millis_since(run.at)).max().unwrap_or(0);
        self.telemetry.metrics.swept(due.len(), lag_ms);
        Ok(Swept {
            runs: due.len(),
            lag_ms,
            is_full: due.len() >= limit,
        })
    }
}

/// A time at or before the look that preceded this one, or the run's beginning. Between two looks is at most as much time as the
/// run had lived at the first of them, within bounds: half of what it had lived at the second.
fn looked_at_before(due: &DueRun) -> Timestamp {
    let age_ms = due.at.millis_since(due.run.created_at());
    let between_ms = (age_ms / 2).clamp(CHECK_FIRST_MS, CHECK_LAST_MS);
    Timestamp(due.at.0.saturating_sub_unsigned(between_ms + UNSEEN_MS))
}

/// Time until the next look at a run of which nothing else is known: as long as it has lived, within bounds.
fn usual_look_ms(run: RunId, now: Timestamp) -> u64 {
    let age_ms = now.millis_since(run.created_at());
    age_ms.clamp(CHECK_FIRST_MS, CHECK_LAST_MS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::given::submitted;

    fn state(sla: &serde_json::Value) -> RunState {
        let tasks = json!([{"id": "t", "agent": "noop", "action": "work", "sla": sla}]);
        let document = json!({"name": "w", "tasks": tasks}).to_string();
        submitted(&document, Timestamp(0))
    }

    #[test]
    fn looks_come_often_enough_for_the_shortest_deadline() {
        let table = [
            (json!({}), 1_000, 60_000, "a young run"),
            (json!({}), 100_000, 100_000, "as long as it has lived"),
            (json!({}), 9_000_000, 450_000, "at most"),
            (
                json!({"task_max_seconds": 600}),
                9_000_000,
                450_000,
                "the usual deadline changes nothing",
            ),
            (
                json!({"heartbeat_seconds": 200}),
                9_000_000,
                160_000,
                "its warning comes first",
            ),
            (
                json!({"heartbeat_seconds": 5}),
                9_000_000,
                60_000,
                "shorter ones get a wake-up each",
            ),
        ];
        for (sla, age_ms, expected, case) in table {
            let now = Timestamp(age_ms);
            assert_eq!(look_within_ms(&state(&sla), now), expected, "{case}");
        }
    }

    #[test]
    fn a_look_knows_when_the_one_before_it_was_at_the_latest() {
        let run = RunId::from_parts(1_000_000, 1);
        let (mut look, mut looks) = (Timestamp(1_000_000), 0);
        // Whatever the delays of looks are.
        for lag_ms in [0, 0, 0, 7_000, 0, 300_000, 0, 0, 4_000_000, 0] {
            let at = look + usual_look_ms(run, look);
            let before = looked_at_before(&DueRun { at, run });
            assert!(before <= look, "{looks}: {before:?} is after {look:?}");
            let apart = look.millis_since(before);
            assert!(apart <= 2 * UNSEEN_MS + CHECK_LAST_MS / 2, "{looks}: {apart} ms");
            (look, looks) = (at + lag_ms, looks + 1);
        }
    }
}
