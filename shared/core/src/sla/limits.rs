//! What holds for one task, or for the run.

use super::alert::DeadlineKind;
use super::spec::{OnBreach, SlaSpec, WARN_PERCENT_DEFAULT};

/// Deadlines in force for one task or for the run as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Longest wait until an attempt starts, milliseconds.
    pub queue_ms: Option<u64>,
    /// Longest run time of an attempt, milliseconds.
    pub task_ms: Option<u64>,
    /// Longest silence of a running attempt, milliseconds.
    pub heartbeat_ms: Option<u64>,
    /// Longest time from the run's opening to its end, milliseconds.
    pub workflow_ms: Option<u64>,
    /// Part of a deadline after which a warning is due.
    pub warn_percent: u8,
    /// What happens to a task that waits or runs for too long.
    pub on_breach: OnBreach,
    /// What happens to an attempt that is silent for too long.
    pub on_silence: OnBreach,
    /// What happens to a run that takes too long.
    pub on_workflow_breach: OnBreach,
}

/// One deadline in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Of what.
    pub kind: DeadlineKind,
    /// How long, milliseconds.
    pub max_ms: u64,
    /// Part of it after which a warning is due.
    pub warn_percent: u8,
    /// What happens when it is missed.
    pub on_breach: OnBreach,
}

impl Limit {
    /// When the warning is due, milliseconds after the clock was started; `None`: there is none.
    pub fn warn_after_ms(&self) -> Option<u64> {
        let warn = u128::from(self.max_ms) * u128::from(self.warn_percent) / 100;
        (self.warn_percent < 100).then(|| u64::try_from(warn).unwrap_or(u64::MAX))
    }

    /// When the deadline is missed, milliseconds after the clock was started: what ends exactly at the limit is in time.
    pub fn breach_after_ms(&self) -> u64 {
        self.max_ms.saturating_add(1)
    }
}

impl Limits {
    /// The first that says something wins: a task before its workflow before what held at submission.
    pub fn of<const N: usize>(levels: [&SlaSpec; N]) -> Limits {
        fn first<'a, T>(levels: &[&'a SlaSpec], of: impl Fn(&'a SlaSpec) -> Option<T>) -> Option<T> {
            levels.iter().find_map(|spec| of(spec))
        }
        let seconds = |of: fn(&SlaSpec) -> Option<f64>| first(&levels, of).map(millis);
        let on_breach = first(&levels, |spec| spec.on_breach);
        Limits {
            queue_ms: seconds(|spec| spec.queue_max_seconds),
            task_ms: seconds(|spec| spec.task_max_seconds),
            heartbeat_ms: seconds(|spec| spec.heartbeat_seconds),
            workflow_ms: seconds(|spec| spec.workflow_max_seconds),
            warn_percent: first(&levels, |spec| spec.warn_percent).unwrap_or(WARN_PERCENT_DEFAULT),
            on_breach: on_breach.unwrap_or_default(),
            // Whoever is silent for too long is believed dead.
            on_silence: on_breach.unwrap_or(OnBreach::Retry),
            on_workflow_breach: first(&levels, |spec| spec.on_workflow_breach).unwrap_or_default(),
        }
    }

    /// The deadline of this kind, if there is one.
    pub fn get(&self, kind: DeadlineKind) -> Option<Limit> {
        let (max_ms, on_breach) = match kind {
            DeadlineKind::Queue => (self.queue_ms, self.on_breach),
            DeadlineKind::Task => (self.task_ms, self.on_breach),
            DeadlineKind::Heartbeat => (self.heartbeat_ms, self.on_silence),
            DeadlineKind::Workflow => (self.workflow_ms, self.on_workflow_breach),
        };
        Some(Limit {
            kind,
            max_ms: max_ms?,
            warn_percent: self.warn_percent,
            on_breach,
        })
    }

    /// The shortest time after which anything about these deadlines can be due, milliseconds.
    pub fn soonest_ms(&self) -> Option<u64> {
        let limits = DeadlineKind::ALL.into_iter().filter_map(|kind| self.get(kind));
        limits
            .map(|limit| limit.warn_after_ms().unwrap_or(limit.breach_after_ms()))
            .min()
    }
}

/// Seconds that validation has bounded, as milliseconds; at least one.
fn millis(seconds: f64) -> u64 {
    ((seconds * 1_000.0).round() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_level_wins_key_by_key() {
        let task = SlaSpec {
            task_max_seconds: Some(1.5),
            on_breach: Some(OnBreach::Fail),
            ..SlaSpec::default()
        };
        let workflow = SlaSpec {
            task_max_seconds: Some(9.0),
            queue_max_seconds: Some(2.0),
            on_workflow_breach: Some(OnBreach::Cancel),
            ..SlaSpec::default()
        };
        let defaults = SlaSpec {
            workflow_max_seconds: Some(10.0),
            warn_percent: Some(50),
            ..SlaSpec::default()
        };
        let expected = Limits {
            queue_ms: Some(2_000),
            task_ms: Some(1_500),
            heartbeat_ms: None,
            workflow_ms: Some(10_000),
            warn_percent: 50,
            on_breach: OnBreach::Fail,
            on_silence: OnBreach::Fail,
            on_workflow_breach: OnBreach::Cancel,
        };
        let limits = Limits::of([&task, &workflow, &defaults]);
        assert_eq!(limits, expected);
        assert_eq!(limits.soonest_ms(), Some(750));
    }

    #[test]
    fn without_a_word_there_are_alerts_and_silent_attempts_are_lost() {
        let limits = Limits::of([&SlaSpec::default()]);
        assert_eq!(
            (limits.on_breach, limits.on_silence, limits.on_workflow_breach),
            (OnBreach::Alert, OnBreach::Retry, OnBreach::Alert)
        );
        assert_eq!(limits.warn_percent, 80);
        assert_eq!(limits.soonest_ms(), None);
    }

    #[test]
    fn a_hundred_percent_means_no_warning() {
        let limit = |warn_percent| Limit {
            kind: DeadlineKind::Task,
            max_ms: 1_000,
            warn_percent,
            on_breach: OnBreach::Alert,
        };
        assert_eq!(limit(80).warn_after_ms(), Some(800));
        assert_eq!(limit(100).warn_after_ms(), None);
        assert_eq!(limit(100).breach_after_ms(), 1_001);
    }
}
