//! Where the time of a run went, from its events alone: what waited, for what, and what was done.
//!
//! A timeline is fed every event of a run in order and yields an [`Interval`] whenever something ends. It keeps what is open
//! only, so it can be rebuilt from the journal by any process at any time. Traces and `orchestrator trace` are made of it.

use std::ops::Range;
use std::sync::Arc;

use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{Event, RunState, SkipReason};
use orchestrator_core::time::Timestamp;

use super::interval::{Interval, Outcome, Phase, Place, Upstreams};
use super::span::LINKS_MAX;
use super::track::{State, Track};

/// The open phases of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    part: u32,
    part_began: Timestamp,
    is_admitted: bool,
    paused_at: Option<Timestamp>,
    has_ended: bool,
    /// Whether this part has missed its deadline.
    is_late: bool,
    tracks: Vec<Track>,
}

/// What an event is seen with: its time, the run, and where to put what ended with it.
struct Now<'a> {
    at: Timestamp,
    state: &'a RunState,
    ended: &'a mut dyn FnMut(Interval),
}

impl Timeline {
    /// Of a run that was submitted at `at`, with so many tasks.
    pub fn new(at: Timestamp, tasks: usize) -> Timeline {
        Timeline {
            part: 0,
            part_began: at,
            is_admitted: false,
            paused_at: None,
            has_ended: false,
            is_late: false,
            tracks: vec![Track::new(None); tasks],
        }
    }

    /// The part of the run that is going on, or was the last.
    pub fn part(&self) -> u32 {
        self.part
    }

    /// Takes in one event. `state` is the run after it, or after later events of the same append.
    pub fn see(&mut self, event: &Event, at: Timestamp, state: &RunState, ended: &mut dyn FnMut(Interval)) {
        let now = &mut Now { at, state, ended };
        match event {
            Event::RunAdmitted => {
                if !std::mem::replace(&mut self.is_admitted, true) {
                    self.wait(Phase::Admission, self.part_began, now);
                }
            }
            Event::RunPaused { .. } | Event::RollbackStopped { .. } => {
                self.paused_at = self.paused_at.or(Some(at))
            }
            Event::RunResumed { .. } => self.resume(now),
            Event::RunSucceeded => self.end_run(Outcome::Success, now),
            Event::RunFailed => self.end_run(Outcome::Failed(None), now),
            Event::RunCancelled { .. } => self.end_run(Outcome::Cancelled, now),
            Event::SlaBreached { key, .. } => match key.node {
                Some(node) => self.track(node).late = Some((key.epoch, key.attempt)),
                None => self.is_late = true,
            },
            // What a rollback undoes first is a node of its own.
            Event::CompensationPlanned { .. } => self.tracks.push(Track::new(None)),
            Event::RunReopened { .. } => {
                // A run that has not ended goes on with what it is.
                if std::mem::take(&mut self.has_ended) {
                    self.part += 1;
                    self.is_late = false;
                    self.part_began = at;
                }
            }
            _ => {
                if let Some(node) = event.node() {
                    self.see_task(event, node, now);
                }
            }
        }
    }

    fn see_task(&mut self, event: &Event, node: NodeIx, now: &mut Now<'_>) {
        let at = now.at;
        match event {
            Event::TaskReady { .. } | Event::TaskApproved { .. } => {
                self.leave(node, now);
                self.track(node).enter(State::Ready, at);
            }
            Event::TaskHeld { choice, hold, .. } => {
                if self.track(node).state != State::Held(*hold) {
                    self.leave(node, now);
                    self.track(node).enter(State::Held(*hold), at);
                }
                self.track(node).choice = Some(*choice);
            }
            Event::TaskQueued { attempt, choice, .. } => {
                self.leave(node, now);
                let track = self.track(node);
                track.enter(State::Queued, at);
                (track.queued_at, track.attempt, track.choice) = (at, *attempt, Some(*choice));
            }
            Event::TaskStarted { .. } | Event::TaskProgressed { .. } | Event::TaskCheckpointed { .. } => {
                self.start(node, at, now);
            }
            Event::TaskSucceeded { started_at, .. } => {
                self.start(node, started_at.unwrap_or(at), now);
                self.end_attempt(node, Outcome::Success, now);
                self.end_task(node, Outcome::Success, now);
            }
            Event::TaskReused { choice, lookup, .. } => {
                self.track(node).choice = Some(*choice);
                self.leave(node, now);
                self.end_task(node, Outcome::Reused(Arc::clone(lookup)), now);
            }
            Event::AttemptFailed { failure, .. } => {
                self.end_attempt(node, Outcome::Failed(Some(Arc::clone(failure))), now);
                self.track(node).enter(State::RetryWait, at);
            }
            Event::TaskFailed { failure, .. } => {
                let outcome = Outcome::Failed(Some(Arc::clone(failure)));
                self.end_attempt(node, outcome.clone(), now);
                self.leave(node, now);
                self.end_task(node, outcome, now);
            }
            Event::TaskSkipped { reason, .. } => {
                if let SkipReason::Denied { choice } = reason {
                    self.track(node).choice = Some(*choice);
                }
                self.leave(node, now);
                self.end_task(node, Outcome::Skipped(reason.clone()), now);
            }
            Event::TaskCancelled { .. } => self.cut_off(node, &Outcome::Cancelled, now),
            Event::CompensationWaived { .. } => self.cut_off(node, &Outcome::Success, now),
            Event::TaskExpanded { items, .. } => self.expand(node, items.len(), now),
            Event::GroupSucceeded { .. } => self.end_task(node, Outcome::Success, now),
            Event::GroupReopened { .. } => {
                let track = self.track(node);
                track.reopened += 1;
                track.opened_at = Some(at);
                track.enter(State::Group, at);
            }
            Event::TaskReset { .. } => self.reset(node, now),
            _ => {}
        }
    }

    /// What has not ended yet, at `at`; the run last.
    pub fn open(&self, state: &RunState, at: Timestamp) -> Vec<Interval> {
        let mut copy = self.clone();
        let mut open = Vec::new();
        let ended = &mut |interval| open.push(interval);
        let now = &mut Now { at, state, ended };
        for node in (0..copy.tracks.len()).map(NodeIx::new) {
            copy.cut_off(node, &Outcome::Open, now);
        }
        if !copy.has_ended {
            copy.end_run(Outcome::Open, now);
        }
        for interval in &mut open {
            interval.outcome = Outcome::Open;
        }
        open
    }

    fn track(&mut self, node: NodeIx) -> &mut Track {
        // The state knows every node before its events are seen here.
        if self.tracks.len() <= node.index() {
            self.tracks.resize(node.index() + 1, Track::new(None));
        }
        &mut self.tracks[node.index()]
    }

    /// Ends a time of waiting, if the task is in one.
    fn leave(&mut self, node: NodeIx, now: &mut Now<'_>) {
        let track = self.track(node);
        let since = track.since;
        let phase = match track.state {
            State::Ready => Phase::Decision,
            State::Held(reason) => Phase::Held(reason),
            State::RetryWait => Phase::RetryWait,
            _ => {
                track.opened_at.get_or_insert(now.at);
                return;
            }
        };
        self.waited(node, phase, since..now.at, now);
    }

    /// The agent begins, unless it has begun.
    fn start(&mut self, node: NodeIx, at: Timestamp, now: &mut Now<'_>) {
        if self.track(node).state == State::Queued {
            let queued_at = self.track(node).queued_at;
            self.waited(node, Phase::Queued, queued_at..at, now);
            self.track(node).enter(State::Running, at);
        }
    }

    /// Ends the live attempt, if there is one.
    fn end_attempt(&mut self, node: NodeIx, outcome: Outcome, now: &mut Now<'_>) {
        let Track {
            state,
            since,
            queued_at,
            ..
        } = *self.track(node);
        let started_at = match state {
            State::Queued => None,
            State::Running => Some(since),
            _ => return,
        };
        if started_at.is_none() {
            self.waited(node, Phase::Queued, queued_at..now.at, now);
        }
        let is_late = {
            let track = self.track(node);
            track.late == Some((track.epoch, track.attempt))
        };
        let attempt = self.of_task(node, Phase::Attempt, queued_at..now.at, now);
        (now.ended)(Interval {
            started_at,
            outcome,
            is_late,
            ..attempt
        });
        self.track(node).enter(State::Done, now.at);
    }

    fn end_task(&mut self, node: NodeIx, outcome: Outcome, now: &mut Now<'_>) {
        let opened_at = self.track(node).opened_at.unwrap_or(now.at);
        let upstream = match self.track(node).item {
            None => self.upstream(node, now.state),
            Some(_) => Upstreams::Untold,
        };
        let task = self.of_task(node, Phase::Task, opened_at..now.at, now);
        (now.ended)(Interval {
            upstream,
            outcome,
            ..task
        });
        self.track(node).enter(State::Done, now.at);
    }

    fn upstream(&self, node: NodeIx, state: &RunState) -> Upstreams {
        let Some(task) = state.workflow.tasks.get(node.index()) else {
            return Upstreams::Untold;
        };
        let known = || {
            let known = task.depends_on.iter().take(LINKS_MAX);
            known.filter_map(|upstream| Some((*upstream, self.tracks.get(upstream.index())?)))
        };
        if known().all(|(_, track)| (track.epoch, track.reopened) == (1, 0)) {
            return Upstreams::First;
        }
        Upstreams::These(
            known()
                .map(|(upstream, track)| (upstream, track.epoch, track.reopened))
                .collect(),
        )
    }

    /// Ends whatever is open of a task. A task that has not begun can only be cancelled.
    fn cut_off(&mut self, node: NodeIx, outcome: &Outcome, now: &mut Now<'_>) {
        match self.track(node).state {
            State::Done => return,
            State::Pending if *outcome != Outcome::Cancelled => return,
            State::Queued | State::Running => self.end_attempt(node, outcome.clone(), now),
            _ => self.leave(node, now),
        }
        self.end_task(node, outcome.clone(), now);
    }

    fn expand(&mut self, node: NodeIx, items: usize, now: &mut Now<'_>) {
        let first = NodeIx::new(self.tracks.len()).0;
        let count = u32::try_from(items).unwrap_or(u32::MAX);
        let children = (0..count).map(|index| Track::new(Some((node, index))));
        self.tracks.extend(children);
        let track = self.track(node);
        track.opened_at.get_or_insert(now.at);
        track.children = (first, count);
        track.enter(State::Group, now.at);
    }

    /// A task starts over: what is open of it and of its items is cut off.
    fn reset(&mut self, node: NodeIx, now: &mut Now<'_>) {
        let (first, count) = self.track(node).children;
        for child in first..first + count {
            self.cut_off(NodeIx(child), &Outcome::Reset, now);
        }
        self.cut_off(node, &Outcome::Reset, now);
        let track = self.track(node);
        *track = Track {
            epoch: track.epoch + 1,
            ..Track::new(track.item)
        };
    }

    fn resume(&mut self, now: &mut Now<'_>) {
        if let Some(since) = self.paused_at.take() {
            self.wait(Phase::Paused, since, now);
        }
    }

    fn end_run(&mut self, outcome: Outcome, now: &mut Now<'_>) {
        self.resume(now);
        if !std::mem::replace(&mut self.has_ended, true) {
            let run = self.of_run(Phase::Run, self.part_began..now.at);
            let is_late = self.is_late;
            (now.ended)(Interval {
                outcome,
                is_late,
                ..run
            });
        }
    }

    fn wait(&self, phase: Phase, since: Timestamp, now: &mut Now<'_>) {
        if since < now.at {
            (now.ended)(self.of_run(phase, since..now.at));
        }
    }

    /// A wait that took no time is not worth telling.
    fn waited(&mut self, node: NodeIx, phase: Phase, time: Range<Timestamp>, now: &mut Now<'_>) {
        self.track(node).opened_at.get_or_insert(time.start);
        if time.start < time.end {
            self.track(node).waits += 1;
            let wait = self.of_task(node, phase, time, now);
            (now.ended)(wait);
        }
    }

    fn of_run(&self, phase: Phase, time: Range<Timestamp>) -> Interval {
        Interval {
            phase,
            place: None,
            part: self.part,
            start: time.start,
            // A clock that went backwards makes no negative time.
            end: time.end.max(time.start),
            started_at: None,
            outcome: Outcome::Over,
            is_late: false,
            choice: None,
            upstream: Upstreams::Untold,
            name: None,
        }
    }

    fn of_task(&mut self, node: NodeIx, phase: Phase, time: Range<Timestamp>, now: &Now<'_>) -> Interval {
        let item = self.track(node).item;
        let group = item.map_or((0, 0), |(group, _)| {
            let group = self.track(group);
            (group.epoch, group.reopened)
        });
        let track = self.track(node);
        let place = Place {
            node,
            item,
            group,
            epoch: track.epoch,
            reopened: track.reopened,
            attempt: track.attempt,
            waits: track.waits,
        };
        // While it waits to be decided, the last choice is about an earlier attempt.
        let is_decided = phase != Phase::Decision;
        let choice = track.choice.filter(|_| is_decided);
        let choice = choice.and_then(|choice| now.state.choices.get(choice as usize));
        let is_added = item.is_none() && node.index() >= now.state.workflow.tasks.len();
        Interval {
            name: is_added.then(|| now.state.name_of(node).into()),
            place: Some(place),
            choice: choice.cloned(),
            ..self.of_run(phase, time)
        }
    }
}
