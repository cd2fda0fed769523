//! The persisted form of deadlines and of what alerts are about.

use minicbor::{Decode, Encode};
use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::Event;
use orchestrator_core::sla::{AlertKey, DeadlineKind, Lateness, OnBreach, SlaSpec};
use orchestrator_core::time::Timestamp;

use super::Error;
use super::choice;
use super::event::Persisted;

/// Deadlines that held at submission; times in milliseconds.
#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct PersistedSla {
    #[n(0)]
    task_ms: Option<u64>,
    #[n(1)]
    workflow_ms: Option<u64>,
    #[n(2)]
    queue_ms: Option<u64>,
    #[n(3)]
    heartbeat_ms: Option<u64>,
    #[n(4)]
    warn_percent: Option<u8>,
    #[n(5)]
    on_breach: Option<u8>,
    #[n(6)]
    on_workflow_breach: Option<u8>,
}

impl PersistedSla {
    /// `None`: nothing was said.
    pub(super) fn of(spec: &SlaSpec) -> Option<PersistedSla> {
        if *spec == SlaSpec::default() {
            return None;
        }
        let millis = |seconds: f64| (seconds * 1_000.0).round() as u64;
        let action = |action: OnBreach| choice::number(&OnBreach::ALL, &action);
        Some(PersistedSla {
            task_ms: spec.task_max_seconds.map(millis),
            workflow_ms: spec.workflow_max_seconds.map(millis),
            queue_ms: spec.queue_max_seconds.map(millis),
            heartbeat_ms: spec.heartbeat_seconds.map(millis),
            warn_percent: spec.warn_percent,
            on_breach: spec.on_breach.map(action),
            on_workflow_breach: spec.on_workflow_breach.map(action),
        })
    }

    pub(super) fn into_spec(self) -> Result<SlaSpec, Error> {
        let seconds = |millis: u64| millis as f64 / 1_000.0;
        let action = |number: u8| choice::value(&OnBreach::ALL, number, "an action");
        Ok(SlaSpec {
            task_max_seconds: self.task_ms.map(seconds),
            workflow_max_seconds: self.workflow_ms.map(seconds),
            queue_max_seconds: self.queue_ms.map(seconds),
            heartbeat_seconds: self.heartbeat_ms.map(seconds),
            warn_percent: self.warn_percent,
            on_breach: self.on_breach.map(action).transpose()?,
            on_workflow_breach: self.on_workflow_breach.map(action).transpose()?,
        })
    }
}

/// What an alert is about.
#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct PersistedAlertKey {
    #[n(0)]
    node: Option<u32>,
    #[n(1)]
    epoch: u32,
    #[n(2)]
    attempt: u32,
    #[n(3)]
    kind: u8,
}

impl PersistedAlertKey {
    pub(super) fn of(key: AlertKey) -> PersistedAlertKey {
        PersistedAlertKey {
            node: key.node.map(|node| node.0),
            epoch: key.epoch,
            attempt: key.attempt,
            kind: choice::number(&DeadlineKind::ALL, &key.kind),
        }
    }

    pub(super) fn into_key(self) -> Result<AlertKey, Error> {
        Ok(AlertKey {
            node: self.node.map(NodeIx),
            epoch: self.epoch,
            attempt: self.attempt,
            kind: choice::value(&DeadlineKind::ALL, self.kind, "a kind of deadline")?,
        })
    }
}

pub(super) fn warned<'a>(key: AlertKey, max_ms: u64, deadline: Timestamp, at: Timestamp) -> Persisted<'a> {
    Persisted::SlaWarned(PersistedAlertKey::of(key), max_ms, after(deadline, at))
}

pub(super) fn breached<'a>(
    key: AlertKey,
    max_ms: u64,
    deadline: Timestamp,
    (severity, action): (Lateness, OnBreach),
    at: Timestamp,
) -> Persisted<'a> {
    Persisted::SlaBreached(
        PersistedAlertKey::of(key),
        max_ms,
        after(deadline, at),
        choice::number(&Lateness::ALL, &severity),
        choice::number(&OnBreach::ALL, &action),
    )
}

pub(super) fn resolved<'a>(key: AlertKey, late_ms: u64) -> Persisted<'a> {
    Persisted::SlaResolved(PersistedAlertKey::of(key), late_ms)
}

/// The event about a deadline that was persisted as this.
pub(super) fn into_event(persisted: Persisted<'_>, at: Timestamp) -> Result<Event, Error> {
    Ok(match persisted {
        Persisted::SlaWarned(key, max_ms, deadline) => Event::SlaWarned {
            key: key.into_key()?,
            max_ms,
            deadline: before(deadline, at),
        },
        Persisted::SlaBreached(key, max_ms, deadline, severity, action) => Event::SlaBreached {
            key: key.into_key()?,
            max_ms,
            deadline: before(deadline, at),
            severity: choice::value(&Lateness::ALL, severity, "a severity")?,
            action: choice::value(&OnBreach::ALL, action, "an action")?,
        },
        Persisted::SlaResolved(key, late_ms) => Event::SlaResolved {
            key: key.into_key()?,
            late_ms,
        },
        other => return Err(Error::Malformed(format!("{other:?} is not about a deadline"))),
    })
}

/// A point in time as milliseconds after the record's.
fn after(point: Timestamp, at: Timestamp) -> i64 {
    point.0.saturating_sub(at.0)
}

/// The inverse of [`after`].
fn before(millis: i64, at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_add(millis))
}
