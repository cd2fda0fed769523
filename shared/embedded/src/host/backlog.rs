//! Work per run: at most one turn of a run is under way, the rest waits here in order.

use std::collections::{BTreeSet, VecDeque};

use orchestrator_core::ids::{IdMap, RunId};
use orchestrator_core::run::{Command, Report};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::messages::Body;
use orchestrator_engine::submit::Request;

use super::input::{Look, Reply};

/// Something to be done with one run.
pub(crate) enum Work {
    /// A message of the engine, an agent or a timer. Kept until it has been handled.
    Message(Body),
    /// What an agent said through the API.
    Report(Vec<Report>, Reply),
    /// An operator's command.
    Operate(Command, Reply),
    /// The beginning of the run.
    Submit(Box<Request>, Reply),
    /// Somebody wants to see the run between turns.
    Look(Look),
}

/// What is to be done for all runs.
#[derive(Default)]
pub(crate) struct Backlog {
    runs: IdMap<RunId, Entry>,
    /// Runs that can begin a turn.
    ready: VecDeque<RunId>,
    /// Runs whose last turn failed, by when they are tried again.
    delayed: BTreeSet<(Timestamp, RunId)>,
}

#[derive(Default)]
struct Entry {
    work: VecDeque<Work>,
    is_busy: bool,
    delayed_until: Option<Timestamp>,
    failures: u32,
}

/// First delay after a failure, milliseconds; doubles up to the last.
const DELAY_FIRST_MS: u64 = 50;
const DELAY_LAST_MS: u64 = 5_000;

impl Backlog {
    /// Adds work. A caller who waits for an answer is not kept waiting by an earlier failure.
    pub(crate) fn add(&mut self, run: RunId, work: Work) {
        let is_patient = matches!(work, Work::Message(_));
        let entry = self.runs.entry(run).or_default();
        let mut begins = entry.work.is_empty();
        entry.work.push_back(work);
        if !is_patient && let Some(until) = entry.delayed_until.take() {
            self.delayed.remove(&(until, run));
            begins = true;
        }
        if begins && !entry.is_busy && entry.delayed_until.is_none() {
            self.ready.push_back(run);
        }
    }

    /// A run that can begin a turn, with all its work; it is busy from now on.
    pub(crate) fn next(&mut self) -> Option<(RunId, VecDeque<Work>)> {
        while let Some(run) = self.ready.pop_front() {
            if let Some(entry) = self.runs.get_mut(&run)
                && !entry.is_busy
                && entry.delayed_until.is_none()
                && !entry.work.is_empty()
            {
                entry.is_busy = true;
                return Some((run, std::mem::take(&mut entry.work)));
            }
        }
        None
    }

    /// Whether some run may be able to begin a turn.
    pub(crate) fn has_next(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A turn has ended; what it did not get to comes back first.
    pub(crate) fn done(&mut self, run: RunId, rest: VecDeque<Work>) {
        let entry = self.runs.entry(run).or_default();
        entry.is_busy = false;
        entry.failures = 0;
        put_back(entry, rest);
        if entry.work.is_empty() {
            self.runs.remove(&run);
        } else {
            self.ready.push_back(run);
        }
    }

    /// A turn has failed; its work comes back and is tried again later.
    pub(crate) fn failed(&mut self, run: RunId, rest: VecDeque<Work>, now: Timestamp) {
        let entry = self.runs.entry(run).or_default();
        entry.is_busy = false;
        put_back(entry, rest);
        if entry.work.is_empty() {
            self.runs.remove(&run);
            return;
        }
        let delay = DELAY_FIRST_MS << entry.failures.min(10);
        entry.failures += 1;
        let until = now + delay.min(DELAY_LAST_MS);
        entry.delayed_until = Some(until);
        self.delayed.insert((until, run));
    }

    /// Lets the runs go on whose delay is over.
    pub(crate) fn wake(&mut self, now: Timestamp) {
        while let Some(&(until, run)) = self.delayed.first() {
            if until > now {
                return;
            }
            self.delayed.remove(&(until, run));
            if let Some(entry) = self.runs.get_mut(&run) {
                entry.delayed_until = None;
                self.ready.push_back(run);
            }
        }
    }

    /// When the next delay is over.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.delayed.first().map(|(until, _)| *until)
    }
}

fn put_back(entry: &mut Entry, mut rest: VecDeque<Work>) {
    rest.append(&mut entry.work);
    entry.work = rest;
}

#[cfg(test)]
mod tests {
    use orchestrator_engine::ports::messages::Recovery;

    use super::*;

    fn run(number: u128) -> RunId {
        RunId::from_parts(1, number)
    }

    #[test]
    fn a_run_has_one_turn_at_a_time_and_its_work_stays_in_order() {
        let mut backlog = Backlog::default();
        backlog.add(run(1), Work::Message(Body::Tick));
        backlog.add(run(1), Work::Message(Body::Admit));
        let (first, mut work) = backlog.next().unwrap();
        assert_eq!((first, work.len()), (run(1), 2));
        backlog.add(run(1), Work::Message(Body::Recover(Recovery::EVERYTHING)));
        assert!(backlog.next().is_none());
        work.pop_front();
        backlog.done(run(1), work);
        let (_, work) = backlog.next().unwrap();
        assert!(matches!(
            work.iter().collect::<Vec<_>>()[..],
            [
                Work::Message(Body::Admit),
                Work::Message(Body::Recover(Recovery::EVERYTHING))
            ]
        ));
        backlog.done(run(1), VecDeque::new());
        assert!(backlog.runs.is_empty());
    }

    #[test]
    fn failed_work_waits_longer_each_time_unless_somebody_asks() {
        let mut backlog = Backlog::default();
        backlog.add(run(1), Work::Message(Body::Tick));
        for delay in [50, 100, 200] {
            let (_, work) = backlog.next().unwrap();
            backlog.failed(run(1), work, Timestamp(0));
            assert_eq!(backlog.next_wake(), Some(Timestamp(delay)));
            backlog.add(run(1), Work::Message(Body::Admit));
            assert!(backlog.next().is_none());
            backlog.wake(Timestamp(delay));
        }
        let (_, work) = backlog.next().unwrap();
        backlog.failed(run(1), work, Timestamp(0));
        backlog.add(run(1), Work::Look(Box::new(|_| {})));
        assert_eq!(backlog.next().unwrap().1.len(), 5);
        assert_eq!(backlog.next_wake(), None);
    }
}
