//! The numbers at one moment, as `GET /stats` shows them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Counts;
use super::histogram::{BOUNDS_MS, Histogram};

/// What has been counted since the process started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Decisions of the policy.
    pub decisions: DecisionStats,
    /// Runs.
    pub runs: RunStats,
    /// Tasks and their attempts.
    pub tasks: TaskStats,
    /// Alerts about deadlines.
    #[serde(default)]
    pub alerts: AlertStats,
    /// Journals.
    pub journal: JournalStats,
}

/// Alerts about deadlines.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertStats {
    /// Alerts by type: `SlaWarning`, `SlaBreached`, `SlaResolved`.
    pub by_type: BTreeMap<String, u64>,
    /// Missed deadlines by what took too long: `queue`, `task`, `heartbeat`, `workflow`.
    pub breaches: BTreeMap<String, u64>,
}

/// Decisions of the policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionStats {
    /// Decisions by outcome: `allow`, `hold`, `deny`.
    pub by_outcome: BTreeMap<String, u64>,
    /// Holds by what is waited for.
    pub holds: BTreeMap<String, u64>,
    /// Decisions that a rule or built-in key had a part in, by its name.
    pub by_rule: BTreeMap<String, u64>,
}

/// Runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStats {
    /// Runs by what happened: `SUBMITTED`, `SUCCESS`, `FAILED`, `CANCELLED`, `REOPENED`.
    pub by_event: BTreeMap<String, u64>,
    /// From submission to the end.
    pub seconds: Durations,
}

/// Tasks and their attempts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskStats {
    /// Tasks that ended, by state.
    pub by_status: BTreeMap<String, u64>,
    /// Attempts that were dispatched.
    pub attempts: u64,
    /// Failures of attempts and tasks by class.
    pub failures: BTreeMap<String, u64>,
    /// Attempts that another one followed.
    pub retries: u64,
    /// Reports of attempts that were not the live one.
    pub refused_reports: u64,
    /// Tasks that may be reused, by what became of looking for their results: `hit`, `miss`, `unwanted`, `taken_back`,
    /// `unreachable`.
    #[serde(default)]
    pub result_lookups: BTreeMap<String, u64>,
    /// From the dispatch of an attempt to the beginning of its agent's work.
    pub queue_seconds: Durations,
    /// From there to its end.
    pub run_seconds: Durations,
}

/// Journals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalStats {
    /// Appends.
    pub appends: u64,
    /// Events in them.
    pub events: u64,
    /// Appends that lost a race and were decided again.
    pub conflicts: u64,
    /// Turns that failed.
    pub failed_turns: u64,
    /// Sweeps, and the runs they found.
    pub sweeps: u64,
    /// Runs that were told to recover by sweeps.
    pub swept_runs: u64,
    /// How late the most overdue run of the last sweep was, milliseconds.
    pub sweep_lag_ms: u64,
}

/// Times in buckets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Durations {
    /// Number of times.
    pub count: u64,
    /// Their sum, seconds.
    pub sum: f64,
    /// Half of them were not longer; as coarse as the buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    /// 95 of 100 were not longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// Upper bounds in seconds, and how many times were not longer. Everything is within the last, which has no bound.
    pub buckets: Vec<(Option<f64>, u64)>,
}

impl Snapshot {
    /// The numbers of these counts.
    pub fn of(counts: &Counts) -> Snapshot {
        Snapshot {
            decisions: DecisionStats {
                by_outcome: counts.decisions.clone(),
                holds: counts.holds.clone(),
                by_rule: counts.rules.clone(),
            },
            runs: RunStats {
                by_event: counts.runs.clone(),
                seconds: Durations::of(&counts.workflow_time),
            },
            tasks: TaskStats {
                by_status: counts.tasks.clone(),
                attempts: counts.attempts,
                failures: counts.failures.clone(),
                retries: counts.retries,
                refused_reports: counts.refused_reports,
                result_lookups: counts.result_lookups.clone(),
                queue_seconds: Durations::of(&counts.queue_time),
                run_seconds: Durations::of(&counts.run_time),
            },
            alerts: AlertStats {
                by_type: counts.alerts.clone(),
                breaches: counts.breaches.clone(),
            },
            journal: JournalStats {
                appends: counts.appends,
                events: counts.events,
                conflicts: counts.conflicts,
                failed_turns: counts.failed_turns,
                sweeps: counts.sweeps,
                swept_runs: counts.swept_runs,
                sweep_lag_ms: counts.sweep_lag_ms,
            },
        }
    }
}

impl Snapshot {
    /// Runs that have not ended, by what was counted.
    pub fn runs_active(&self) -> u64 {
        let of = |event: &str| self.runs.by_event.get(event).copied().unwrap_or(0);
        let ended = of("SUCCESS") + of("FAILED") + of("CANCELLED");
        (of("SUBMITTED") + of("REOPENED")).saturating_sub(ended)
    }
}

impl Durations {
    fn of(histogram: &Histogram) -> Durations {
        let seconds = |millis: u64| millis as f64 / 1_000.0;
        let bounds = BOUNDS_MS.iter().map(|bound| Some(seconds(*bound))).chain([None]);
        let mut within = 0;
        let buckets = bounds.zip(histogram.buckets).map(|(bound, count)| {
            within += count;
            (bound, within)
        });
        Durations {
            count: histogram.count(),
            sum: seconds(histogram.sum_ms),
            p50: histogram.within_ms(50).map(seconds),
            p95: histogram.within_ms(95).map(seconds),
            buckets: buckets.collect(),
        }
    }
}
