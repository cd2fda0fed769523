//! The sweep: finds runs that may have lost a message, and leases nobody will give back.

use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use orchestrator_aws::clock::SystemClock;
use orchestrator_aws::messages::send::Outgoing;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::Error;
use orchestrator_engine::ports::{Clock, DueIndex};
use serde_json::Value;

use crate::start::Function;

/// Runs looked at in one step.
const RUNS_AT_ONCE: usize = 500;
/// Old leases looked at in one invocation; the rest comes with the next.
const LEASES_AT_ONCE: usize = 100;
/// Time kept for the last step and the leases, before Lambda ends the invocation.
const RESERVE: Duration = Duration::from_secs(10);
/// EventBridge's shortest interval, milliseconds.
const SCHEDULE_MS: u64 = 60_000;
/// Shortest interval of sweeps, milliseconds.
const INTERVAL_MIN_MS: u64 = 5_000;

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// EventBridge, once a minute.
    Schedule,
    /// A message the sweep sent to itself.
    Message,
}

impl Cause {
    /// Who sent this event.
    pub fn of(event: &Value) -> Cause {
        match event.get("Records") {
            Some(_) => Cause::Message,
            None => Cause::Schedule,
        }
    }
}

/// Time until Lambda ends the invocation, by its deadline in milliseconds since 1970.
pub fn remaining(deadline_ms: u64) -> Duration {
    let deadline = Timestamp(i64::try_from(deadline_ms).unwrap_or(i64::MAX));
    Duration::from_millis(deadline.millis_since(SystemClock.now()))
}

/// Looks at what is due until nothing is, or `remaining` time is over, then at old leases. Intervals below a minute are made
/// of messages to itself, and only while there is something to come.
///
/// # Errors
/// When a store or a queue cannot be reached; the next sweep settles it.
pub async fn handle(
    function: &Function,
    cause: Cause,
    remaining: Duration,
) -> Result<SqsBatchResponse, Error> {
    let engine = &function.engine;
    let until = SystemClock.now() + u64::try_from(remaining.saturating_sub(RESERVE).as_millis()).unwrap_or(0);
    let mut runs = 0;
    let mut lag_ms = 0;
    let mut is_done = false;
    while !is_done {
        let swept = engine.sweep(&engine.ports().store, RUNS_AT_ONCE).await?;
        runs += swept.runs;
        lag_ms = lag_ms.max(swept.lag_ms);
        is_done = !swept.is_full || SystemClock.now() >= until;
    }
    let leases = engine.reclaim(&engine.ports().pools, LEASES_AT_ONCE).await?;
    tracing::info!(
        runs,
        lag_ms,
        released = leases.released,
        granted = leases.granted,
        "swept"
    );
    function.metrics.sweep_lag(lag_ms);
    if cause == Cause::Schedule {
        call_again(function).await?;
    }
    Ok(SqsBatchResponse::default())
}

/// Calls the sweep between this tick of the schedule and the next, if something becomes due in between.
async fn call_again(function: &Function) -> Result<(), Error> {
    let Some(queue) = &function.config.sweeps_queue else {
        return Ok(());
    };
    let delays = delays(function.check_interval_ms);
    if delays.is_empty() {
        return Ok(());
    }
    let ports = function.engine.ports();
    let next_tick = SystemClock.now() + SCHEDULE_MS;
    if ports.store.due(next_tick, 1).await?.is_empty() {
        return Ok(());
    }
    let calls = delays.into_iter().map(|delay_seconds| Outgoing {
        body: "{\"kind\":\"sweep\"}".to_owned(),
        group: None,
        deduplication: None,
        delay_seconds,
        traceparent: None,
    });
    let sent = ports.sender.send(queue, calls.collect()).await;
    Ok(sent.map_err(|fault| fault.in_part("the queue of the sweep"))?)
}

/// Delays of the sweeps within one tick of the schedule, seconds.
fn delays(interval_ms: u64) -> Vec<i32> {
    let interval = interval_ms.max(INTERVAL_MIN_MS);
    let times = (1..).map(|n| n * interval).take_while(|at| *at < SCHEDULE_MS);
    times
        .map(|at| i32::try_from(at.div_ceil(1_000)).unwrap_or(i32::MAX))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_minute_is_filled_with_sweeps_but_not_with_too_many() {
        assert_eq!(delays(30_000), [30]);
        assert_eq!(delays(20_000), [20, 40]);
        assert_eq!(delays(60_000), [] as [i32; 0]);
        assert_eq!(delays(3_600_000), [] as [i32; 0]);
        assert_eq!(delays(1).len(), 11);
    }

    #[test]
    fn only_the_schedule_calls_again() {
        assert_eq!(Cause::of(&json!({"Records": []})), Cause::Message);
        assert_eq!(
            Cause::of(&json!({"detail-type": "Scheduled Event"})),
            Cause::Schedule
        );
    }
}
