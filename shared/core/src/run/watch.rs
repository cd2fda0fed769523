//! The deadlines of a run, kept with its state.
//!
//! A *clock* measures one thing that can take too long: a task's wait, an attempt's run time or silence, the run. Its
//! limit comes from the documents and from the defaults that were journaled at submission, its origin from the journal, so
//! that replaying gives the same deadlines whatever the configuration says by then. The earliest time at which a clock of
//! a task, or of the run, has something to say is kept in an ordered index: the cost of looking follows what is due.
//!
//! What counts: a task waits from READY until an attempt starts, without the time it is HELD on purpose (a window, a
//! policy, an approval) and without the time the run is PAUSED; waiting for a pool counts. A running attempt's clocks are
//! never stopped. The run's clock stands still while it is PAUSED and starts over when the run is opened again.

use super::state::{Node, RunState};
use super::status::{RunStatus, TaskStatus};
use crate::ids::NodeIx;
use crate::policy::HoldReason;
use crate::sla::{AlertKey, DeadlineKind, Limit, Limits, SlaSpec, Stage, Stopwatch};
use crate::time::Timestamp;
use crate::workflow::Workflow;

/// What is measured of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    /// Its wait for the next attempt to start.
    pub queue: Stopwatch,
    /// When the live attempt was last heard of.
    pub heard_at: Option<Timestamp>,
    /// How far the alerts have come: of the wait, and of the attempt's run time and silence.
    raised: [Stage; 3],
    /// Its entry in the index.
    pub(super) next: Option<Timestamp>,
}

/// What is measured of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunWatch {
    /// The time since it was opened.
    pub clock: Stopwatch,
    /// How often it was opened.
    pub opened: u32,
    raised: Stage,
    pub(super) next: Option<Timestamp>,
}

/// A deadline that was missed by something that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// The limit, milliseconds.
    pub max_ms: u64,
    /// When the time was over.
    pub deadline: Timestamp,
    /// When it was noticed.
    pub breached_at: Timestamp,
}

/// A clock that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// What it measures.
    pub key: AlertKey,
    /// How long that may take.
    pub limit: Limit,
    /// When it would have been started, had it never stopped.
    pub origin: Timestamp,
    /// How far the alerts have come.
    pub stage: Stage,
}

impl Clock {
    /// When the time is over; what ends exactly then is in time.
    pub fn deadline(&self) -> Timestamp {
        self.origin + self.limit.max_ms
    }

    /// When a warning is due.
    pub fn warn_at(&self) -> Option<Timestamp> {
        self.limit.warn_after_ms().map(|after| self.origin + after)
    }

    /// Whether the deadline has been missed by `now`.
    pub fn is_missed_at(&self, now: Timestamp) -> bool {
        now >= self.origin + self.limit.breach_after_ms()
    }

    /// When the next alert is due.
    fn next(&self) -> Option<Timestamp> {
        let breach = Some(self.origin + self.limit.breach_after_ms());
        match self.stage {
            Stage::Quiet => self.warn_at().or(breach),
            Stage::Warned => breach,
            Stage::Breached => None,
        }
    }
}

impl Watch {
    fn raise(&mut self, kind: DeadlineKind, to: Stage) {
        if let Some(stage) = self.raised.get_mut(kind as usize) {
            *stage = to;
        }
    }

    /// Whether the attempt has missed one of its deadlines.
    pub fn has_missed_one(&self) -> bool {
        self.raised.contains(&Stage::Breached)
    }

    fn stage(&self, kind: DeadlineKind) -> Stage {
        self.raised.get(kind as usize).copied().unwrap_or_default()
    }
}

impl RunState {
    /// The deadlines in force for a task.
    pub fn limits_of(&self, node: NodeIx) -> Limits {
        Limits::of([&self.task_of(node).sla, &self.workflow.sla, &self.submission.sla])
    }

    /// The deadlines in force for the run.
    pub fn run_limits(&self) -> Limits {
        Limits::of([&self.workflow.sla, &self.submission.sla])
    }

    /// The same before the run begins: most tasks say nothing of their own.
    pub(super) fn soonest_of(workflow: &Workflow, defaults: &SlaSpec) -> Option<u64> {
        let own = workflow.tasks.iter().map(|task| &task.sla);
        let own = own.filter(|sla| **sla != SlaSpec::default());
        let levels = own.filter_map(|sla| Limits::of([sla, &workflow.sla, defaults]).soonest_ms());
        levels
            .chain(Limits::of([&workflow.sla, defaults]).soonest_ms())
            .min()
    }

    /// The clocks of a task, or of the run, that run.
    pub fn clocks(&self, subject: Option<NodeIx>) -> impl Iterator<Item = Clock> + use<> {
        let clocks = match subject {
            None => [self.run_clock(), None],
            Some(node) => {
                let entry = self.node(node);
                match entry.status {
                    TaskStatus::Ready | TaskStatus::Held | TaskStatus::Queued => {
                        let origin = entry.watch.queue.origin();
                        [
                            origin.and_then(|origin| self.clock(node, DeadlineKind::Queue, origin)),
                            None,
                        ]
                    }
                    TaskStatus::Running if entry.group.is_none() => {
                        let task = entry.started_at;
                        let heard = entry.watch.heard_at;
                        [
                            task.and_then(|origin| self.clock(node, DeadlineKind::Task, origin)),
                            heard.and_then(|origin| self.clock(node, DeadlineKind::Heartbeat, origin)),
                        ]
                    }
                    _ => [None, None],
                }
            }
        };
        clocks.into_iter().flatten()
    }

    /// The clock of this kind of a task, if it had run since `origin`.
    pub(super) fn clock(&self, node: NodeIx, kind: DeadlineKind, origin: Timestamp) -> Option<Clock> {
        Some(Clock {
            key: self.alert_key(node, kind),
            limit: self.limits_of(node).get(kind)?,
            origin,
            stage: self.node(node).watch.stage(kind),
        })
    }

    fn run_clock(&self) -> Option<Clock> {
        let RunWatch {
            clock,
            opened,
            raised,
            ..
        } = self.watch;
        Some(Clock {
            key: AlertKey {
                node: None,
                epoch: opened,
                attempt: 0,
                kind: DeadlineKind::Workflow,
            },
            limit: self.run_limits().get(DeadlineKind::Workflow)?,
            origin: clock.origin()?,
            stage: raised,
        })
    }

    fn alert_key(&self, node: NodeIx, kind: DeadlineKind) -> AlertKey {
        let entry = self.node(node);
        let waits_to_be_made = kind == DeadlineKind::Queue
            && matches!(
                entry.status,
                TaskStatus::Ready | TaskStatus::Held | TaskStatus::RetryWait | TaskStatus::Pending
            );
        AlertKey {
            node: Some(node),
            epoch: entry.epoch,
            attempt: entry.attempt + u32::from(waits_to_be_made),
            kind,
        }
    }

    /// The shortest time after which anything about a deadline of this run can be due, milliseconds.
    pub fn soonest_deadline_ms(&self) -> Option<u64> {
        self.soonest_deadline_ms
    }

    /// The earliest time at which a deadline has something to say.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.index.deadlines.first().map(|&(at, _)| at)
    }

    /// Missed deadlines of what goes on.
    pub fn violations(&self) -> impl ExactSizeIterator<Item = (AlertKey, Violation)> + '_ {
        self.index
            .violations
            .iter()
            .map(|(key, violation)| (*key, *violation))
    }

    /// Whether a failure of this class was brought about from our side: the agent may still be at work.
    pub(super) fn is_from_our_side(&self, node: NodeIx, class: super::FailureClass) -> bool {
        match class {
            super::FailureClass::Timeout => true,
            super::FailureClass::Lost => {
                self.node(node).watch.stage(DeadlineKind::Heartbeat) == Stage::Breached
            }
            _ => false,
        }
    }

    /// A task is READY: either its wait goes on, or a new one begins.
    pub(super) fn wait_begins(&mut self, node: NodeIx, goes_on: bool, at: Timestamp) {
        let is_paused = self.status == RunStatus::Paused;
        let watch = &mut self.nodes[node.index()].watch;
        if !goes_on {
            let next = watch.next;
            *watch = Watch {
                next,
                ..Watch::default()
            };
        }
        if !is_paused {
            watch.queue.start(at);
        }
        self.rewatch(Some(node));
    }

    /// A task is HELD: only the wait for a pool counts.
    pub(super) fn wait_is_held(&mut self, node: NodeIx, hold: HoldReason, at: Timestamp) {
        let is_paused = self.status == RunStatus::Paused;
        let watch = &mut self.nodes[node.index()].watch;
        match hold {
            HoldReason::Pool if is_paused => {}
            HoldReason::Pool => watch.queue.start(at),
            _ => watch.queue.stop(at),
        }
        self.rewatch(Some(node));
    }

    /// A new attempt is QUEUED; its wait began when the task became READY, and goes on after a hold.
    pub(super) fn attempt_is_queued(&mut self, node: NodeIx, at: Timestamp) {
        let watch = &mut self.nodes[node.index()].watch;
        watch.queue.start(at);
        watch.heard_at = None;
        for kind in [DeadlineKind::Task, DeadlineKind::Heartbeat] {
            watch.raise(kind, Stage::Quiet);
        }
        self.rewatch(Some(node));
    }

    /// The live attempt was heard of.
    pub(super) fn is_heard_of(&mut self, node: NodeIx, at: Timestamp) {
        let watch = &mut self.nodes[node.index()].watch;
        watch.queue.stop(at);
        watch.heard_at = Some(at);
        self.rewatch(Some(node));
    }

    /// The run is PAUSED, or goes on: so do the clocks that stand still with it.
    pub(super) fn clocks_follow_the_run(&mut self, at: Timestamp) {
        let is_paused = self.status == RunStatus::Paused;
        let turn = |clock: &mut Stopwatch| {
            if is_paused {
                clock.stop(at)
            } else {
                clock.start(at)
            }
        };
        turn(&mut self.watch.clock);
        self.rewatch(None);
        let waits = |entry: &Node| match entry.status {
            TaskStatus::Held => entry.waits_for_pool(),
            status => matches!(status, TaskStatus::Ready | TaskStatus::Queued),
        };
        let index = &self.index;
        let waiting = index.ready.iter().chain(&index.held).chain(&index.live);
        let waiting: Vec<NodeIx> = waiting.copied().filter(|node| waits(self.node(*node))).collect();
        for node in waiting {
            turn(&mut self.nodes[node.index()].watch.queue);
            self.rewatch(Some(node));
        }
    }

    /// The run is opened, for the first time or again: its time starts over.
    pub(super) fn run_opens(&mut self, at: Timestamp) {
        let RunWatch { opened, next, .. } = self.watch;
        self.watch = RunWatch {
            opened: opened + 1,
            next,
            ..RunWatch::default()
        };
        self.watch.clock.start(at);
        self.rewatch(None);
    }

    /// The run has ended.
    pub(super) fn run_closes(&mut self, at: Timestamp) {
        self.watch.clock.stop(at);
        self.rewatch(None);
    }

    /// An alert was raised.
    pub(super) fn alert_is_raised(&mut self, key: AlertKey, stage: Stage) {
        match key.node {
            None if self.watch.opened == key.epoch => self.watch.raised = stage,
            Some(node) if self.alert_key(node, key.kind) == key => {
                let watch = &mut self.nodes[node.index()].watch;
                watch.raise(key.kind, stage);
            }
            _ => {}
        }
        self.rewatch(key.node);
    }

    /// Brings the index up to date with the clocks of a task, or of the run.
    pub(super) fn rewatch(&mut self, subject: Option<NodeIx>) {
        let next = self.clocks(subject).filter_map(|clock| clock.next()).min();
        let entry = match subject {
            None => &mut self.watch.next,
            Some(node) => &mut self.nodes[node.index()].watch.next,
        };
        if *entry == next {
            return;
        }
        if let Some(old) = std::mem::replace(entry, next) {
            self.index.deadlines.remove(&(old, subject));
        }
        if let Some(next) = next {
            self.index.deadlines.insert((next, subject));
        }
    }
}
