//! Alerts that follow from what happens: a deadline that was missed is noticed at the latest when its clock stops, and what
//! was late is resolved when it ends.

use super::event::Event;
use super::state::RunState;
use super::status::TaskStatus;
use super::turn::Turn;
use super::watch::Clock;
use crate::ids::NodeIx;
use crate::policy::HoldReason;
use crate::sla::{AlertKey, DeadlineKind, Lateness, OnBreach};
use crate::time::Timestamp;

/// What an event does to the clocks of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stops {
    /// An attempt has started.
    Wait,
    /// The wait stands still; it is not over.
    Pauses,
    /// The attempt was heard of.
    Silence,
    /// The attempt, or the task, has ended.
    Everything,
}

impl Stops {
    fn of(state: &RunState, event: &Event) -> Option<(NodeIx, Stops)> {
        let node = event.node()?;
        let stops = match event {
            Event::TaskStarted { .. }
            | Event::TaskProgressed { .. }
            | Event::TaskCheckpointed { .. }
            | Event::TaskFilesSaved { .. } => match state.node(node).status {
                TaskStatus::Queued => Stops::Wait,
                _ => Stops::Silence,
            },
            Event::TaskHeld { hold, .. } if *hold != HoldReason::Pool => Stops::Pauses,
            Event::TaskSucceeded { .. }
            | Event::TaskReused { .. }
            | Event::AttemptFailed { .. }
            | Event::TaskFailed { .. }
            | Event::TaskSkipped { .. }
            | Event::TaskCancelled { .. }
            | Event::TaskReset { .. } => Stops::Everything,
            _ => return None,
        };
        Some((node, stops))
    }

    fn includes(self, kind: DeadlineKind) -> bool {
        match self {
            Stops::Wait | Stops::Pauses => kind == DeadlineKind::Queue,
            Stops::Silence => kind == DeadlineKind::Heartbeat,
            Stops::Everything => true,
        }
    }
}

impl Turn<'_> {
    /// Before an event: whatever it stops and was late is said first. A report that comes before anybody has looked at the
    /// deadline is late all the same.
    pub(super) fn note_late(&mut self, event: &Event) {
        let now = self.now;
        if self.state.next_deadline().is_none_or(|next| next > now) && !is_whole_attempt(event) {
            return;
        }
        if stops_the_run(event) {
            self.note_missed(None, |_| true, now);
        }
        let Some((node, stops)) = Stops::of(self.state, event) else {
            return;
        };
        let started_at = match event {
            Event::TaskSucceeded { started_at, .. } if self.state.node(node).status == TaskStatus::Queued => {
                Some(started_at.unwrap_or(now))
            }
            _ => None,
        };
        self.note_missed(Some(node), |kind| stops.includes(kind), started_at.unwrap_or(now));
        if let Some(started_at) = started_at
            && let Some(clock) = self.state.clock(node, DeadlineKind::Task, started_at)
            && clock.is_missed_at(now)
        {
            self.emit(breached(&clock, now, OnBreach::Alert));
        }
        for child in children(self.state, event) {
            self.note_missed(Some(child), |_| true, now);
        }
    }

    fn note_missed(
        &mut self,
        subject: Option<NodeIx>,
        includes: impl Fn(DeadlineKind) -> bool,
        at: Timestamp,
    ) {
        let clocks: Vec<Clock> = self.state.clocks(subject).collect();
        for clock in clocks {
            let is_new = clock.stage < crate::sla::Stage::Breached;
            if is_new && includes(clock.key.kind) && clock.is_missed_at(at) {
                self.emit(breached(&clock, at, OnBreach::Alert));
            }
        }
    }

    /// The missed deadlines that an event puts an end to.
    pub(super) fn resolved_by(&self, event: &Event) -> Vec<AlertKey> {
        if self.state.violations().len() == 0 || event.alert_key().is_some() {
            return Vec::new();
        }
        let stops = Stops::of(self.state, event).filter(|(_, stops)| *stops != Stops::Pauses);
        let children = children(self.state, event);
        let pauses_run = matches!(event, Event::RunPaused { .. } | Event::RollbackStopped { .. });
        let ends_run = stops_the_run(event) && !pauses_run;
        let is_over = |key: &AlertKey| match key.node {
            None => ends_run,
            Some(of) => {
                stops.is_some_and(|(node, stops)| node == of && stops.includes(key.kind))
                    || children.contains(&of)
            }
        };
        self.state
            .violations()
            .map(|(key, _)| key)
            .filter(is_over)
            .collect()
    }

    /// Says that what was late has come to an end.
    pub(super) fn resolve(&mut self, keys: Vec<AlertKey>) {
        for key in keys {
            let violation = self.state.violations().find(|(known, _)| *known == key);
            if let Some((_, violation)) = violation {
                let late_ms = self.now - violation.deadline;
                self.emit(Event::SlaResolved { key, late_ms });
            }
        }
    }
}

/// The event that says that this deadline was missed.
pub(super) fn breached(clock: &Clock, at: Timestamp, action: OnBreach) -> Event {
    let late_ms = at - clock.deadline();
    Event::SlaBreached {
        key: clock.key,
        max_ms: clock.limit.max_ms,
        deadline: clock.deadline(),
        severity: Lateness::of(late_ms, clock.limit.max_ms),
        action,
    }
}

/// Whether the start and the end of an attempt come in one: then its run time was never in the index.
fn is_whole_attempt(event: &Event) -> bool {
    matches!(
        event,
        Event::TaskSucceeded {
            started_at: Some(_),
            ..
        }
    )
}

/// Whether the run's clock stops.
fn stops_the_run(event: &Event) -> bool {
    matches!(
        event,
        Event::RunPaused { .. }
            | Event::RollbackStopped { .. }
            | Event::RunCancelled { .. }
            | Event::RunSucceeded
            | Event::RunFailed
    )
}

/// The children that a reset leaves behind.
fn children(state: &RunState, event: &Event) -> Vec<NodeIx> {
    let Event::TaskReset { node } = event else {
        return Vec::new();
    };
    let group = state.node(*node).group;
    group.map_or_else(Vec::new, |group| group.children().collect())
}
