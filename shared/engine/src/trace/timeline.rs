//! Where the time of a run went, from its events alone: what waited, for what, and what was done.
//!
//! A timeline is fed every event of a run in order and yields an [`Interval`] whenever something ends. It keeps what is open
//! only, so it can be rebuilt from the journal by any process at any time. Traces and `orchestrator trace` are made of it.

use std::ops::Range;
use std::sync::Arc;

use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::{SkipReason, undo_name};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::Workflow;

use super::attributes::decision;
use super::interval::{Interval, Outcome, Phase, Place, Upstreams};
use super::mark::{Kind, Mark, OfTask};
use super::parts::Parts;
use super::span::LINKS_MAX;
use super::track::{State, Track};

/// The open phases of a run.
#[derive(Debug, Clone)]
pub struct Timeline {
    parts: Parts,
    part_began: Timestamp,
    is_admitted: bool,
    paused_at: Option<Timestamp>,
    /// Whether this part has missed its deadline.
    is_late: bool,
    rollbacks: u32,
    /// What the policy said, as attributes: by the numbers of choices.
    decisions: Vec<Arc<[u8]>>,
    tracks: Vec<Track>,
}

/// What a mark is seen with: the workflow, its time, and where to put what ended with it.
struct Now<'a> {
    workflow: &'a Workflow,
    at: Timestamp,
    ended: &'a mut dyn FnMut(Interval),
}

impl Timeline {
    /// Of a run of this workflow that was submitted at `at`.
    pub fn new(at: Timestamp, workflow: &Workflow) -> Timeline {
        Timeline {
            parts: Parts::default(),
            part_began: at,
            is_admitted: false,
            paused_at: None,
            is_late: false,
            rollbacks: 0,
            decisions: Vec::new(),
            tracks: vec![Track::new(None); workflow.tasks.len()],
        }
    }

    /// Takes in the next mark of the run, which is of this workflow.
    pub fn see(&mut self, mark: Mark, at: Timestamp, workflow: &Workflow, ended: &mut dyn FnMut(Interval)) {
        let now = &mut Now { workflow, at, ended };
        match mark.0 {
            Kind::Admitted => {
                if !std::mem::replace(&mut self.is_admitted, true) {
                    self.wait(Phase::Admission, self.part_began, now);
                }
            }
            Kind::Paused => self.paused_at = self.paused_at.or(Some(at)),
            Kind::Resumed => self.resume(now),
            Kind::Succeeded => self.end_run(Outcome::Success, now),
            Kind::Failed => self.end_run(Outcome::Failed(None), now),
            Kind::Cancelled => self.end_run(Outcome::Cancelled, now),
            Kind::Late => self.is_late = true,
            Kind::RolledBack => self.rollbacks += 1,
            Kind::Undo { of } => self.plan_undo(of, now.workflow),
            Kind::Chosen(choice) => self.decisions.push(decision(&choice).into()),
            Kind::Reopened => {
                // A run that has not ended goes on with what it is.
                if self.parts.reopen() {
                    self.is_late = false;
                    self.part_began = at;
                }
            }
            Kind::Task(node, mark) => self.see_task(mark, node, now),
        }
    }

    fn see_task(&mut self, mark: OfTask, node: NodeIx, now: &mut Now<'_>) {
        let at = now.at;
        match mark {
            OfTask::Ready => {
                self.leave(node, now);
                self.track(node).enter(State::Ready, at);
            }
            OfTask::Held { choice, hold } => {
                if self.track(node).state != State::Held(hold) {
                    self.leave(node, now);
                    self.track(node).enter(State::Held(hold), at);
                }
                self.track(node).choice = Some(choice);
            }
            OfTask::Queued { attempt, choice } => {
                self.leave(node, now);
                let track = self.track(node);
                track.enter(State::Queued, at);
                (track.queued_at, track.attempt, track.choice) = (at, attempt, Some(choice));
            }
            OfTask::Started => self.start(node, at, now),
            OfTask::Succeeded => self.succeed(node, at, now),
            OfTask::SucceededFrom(started_at) => self.succeed(node, started_at, now),
            OfTask::Reused { choice, lookup } => {
                self.track(node).choice = Some(choice);
                self.leave(node, now);
                self.end_task(node, Outcome::Reused(lookup), now);
            }
            OfTask::AttemptFailed(failure) => {
                self.end_attempt(node, Outcome::Failed(Some(failure)), now);
                self.track(node).enter(State::RetryWait, at);
            }
            OfTask::Failed(failure) => {
                let outcome = Outcome::Failed(Some(failure));
                self.end_attempt(node, outcome.clone(), now);
                self.leave(node, now);
                self.end_task(node, outcome, now);
            }
            OfTask::Skipped(reason) => {
                if let SkipReason::Denied { choice } = reason {
                    self.track(node).choice = Some(choice);
                }
                self.leave(node, now);
                self.end_task(node, Outcome::Skipped(reason), now);
            }
            OfTask::Cancelled => self.cut_off(node, &Outcome::Cancelled, now),
            OfTask::Waived => self.cut_off(node, &Outcome::Success, now),
            OfTask::Expanded { items } => self.expand(node, items, now),
            OfTask::GroupSucceeded => self.end_task(node, Outcome::Success, now),
            OfTask::GroupReopened => {
                let track = self.track(node);
                track.reopened += 1;
                track.opened_at = Some(at);
                track.enter(State::Group, at);
            }
            OfTask::Reset => self.reset(node, now),
            OfTask::Late { epoch, attempt } => self.track(node).late = Some((epoch, attempt)),
        }
    }

    /// Which part of the run goes on, or was the last.
    pub(super) fn part(&self) -> u32 {
        self.parts.number()
    }

    /// What has not ended yet, at `at`; the run last.
    pub(super) fn open(&self, at: Timestamp, workflow: &Workflow) -> Vec<Interval> {
        let mut copy = self.clone();
        let mut open = Vec::new();
        let ended = &mut |interval| open.push(interval);
        let now = &mut Now { workflow, at, ended };
        for node in (0..copy.tracks.len()).map(NodeIx::new) {
            copy.cut_off(node, &Outcome::Open, now);
        }
        if !copy.parts.has_ended() {
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

    fn succeed(&mut self, node: NodeIx, started_at: Timestamp, now: &mut Now<'_>) {
        self.start(node, started_at, now);
        self.end_attempt(node, Outcome::Success, now);
        self.end_task(node, Outcome::Success, now);
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
        let attempt = self.of_task(node, Phase::Attempt, queued_at..now.at);
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
            None => self.upstream(node, now.workflow),
            Some(_) => Upstreams::Untold,
        };
        let task = self.of_task(node, Phase::Task, opened_at..now.at);
        (now.ended)(Interval {
            upstream,
            outcome,
            ..task
        });
        self.track(node).enter(State::Done, now.at);
    }

    fn upstream(&self, node: NodeIx, workflow: &Workflow) -> Upstreams {
        let Some(task) = workflow.tasks.get(node.index()) else {
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

    /// What undoes a task or an item is a node of its own, after those there are.
    fn plan_undo(&mut self, of: NodeIx, workflow: &Workflow) {
        let undone = match self.track(of).item {
            Some((group, index)) => format!("{}[{index}]", workflow.task(group).id),
            None => workflow.task(of).id.clone(),
        };
        self.tracks.push(Track {
            name: Some(undo_name(&undone, self.rollbacks).into()),
            ..Track::new(None)
        });
    }

    fn expand(&mut self, node: NodeIx, count: u32, now: &mut Now<'_>) {
        let first = NodeIx::new(self.tracks.len()).0;
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
            name: track.name.take(),
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
        if self.parts.end() {
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
            let wait = self.of_task(node, phase, time);
            (now.ended)(wait);
        }
    }

    fn of_run(&self, phase: Phase, time: Range<Timestamp>) -> Interval {
        Interval {
            phase,
            place: None,
            part: self.parts.number(),
            start: time.start,
            // A clock that went backwards makes no negative time.
            end: time.end.max(time.start),
            started_at: None,
            outcome: Outcome::Over,
            is_late: false,
            decision: None,
            upstream: Upstreams::Untold,
            name: None,
        }
    }

    fn of_task(&mut self, node: NodeIx, phase: Phase, time: Range<Timestamp>) -> Interval {
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
        let decision = choice.and_then(|choice| self.decisions.get(choice as usize));
        Interval {
            name: self.tracks[node.index()].name.clone(),
            place: Some(place),
            decision: decision.cloned(),
            ..self.of_run(phase, time)
        }
    }
}
