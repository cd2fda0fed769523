//! How long the tasks of each agent and action wait and run, and how many keep their deadlines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use orchestrator_core::run::{Event, RunState};
use orchestrator_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// Attempts of one agent and action.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Attempts that ended after they had started.
    pub attempts: u64,
    /// Those of them that missed no deadline.
    pub within: u64,
    /// Time until they started.
    pub queue: Histogram,
    /// Time they ran.
    pub run: Histogram,
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, observation: &Observation<'_>) {
        self.attempts += 1;
        self.within += u64::from(observation.is_within);
        self.queue.add(observation.queue_ms);
        self.run.add(observation.run_ms);
    }

    /// The run time that 95 of 100 attempts do not exceed, once there are enough of them to tell.
    pub fn usual_run_ms(&self) -> Option<u64> {
        const ENOUGH: u64 = 20;
        self.run.percentile(95).filter(|_| self.attempts >= ENOUGH)
    }
}

/// An attempt that ended after it had started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation<'a> {
    /// Its agent.
    pub agent: &'a str,
    /// Its action.
    pub action: &'a str,
    /// How long its task waited for it to start.
    pub queue_ms: u64,
    /// How long it ran.
    pub run_ms: u64,
    /// Whether it missed no deadline.
    pub is_within: bool,
}

/// The attempts that ended with these events of one append, after which the run is in `state`.
pub fn observations<'a>(
    events: &'a [Event],
    at: Timestamp,
    state: &'a RunState,
) -> impl Iterator<Item = Observation<'a>> {
    events.iter().filter_map(move |event| {
        let (Event::TaskSucceeded { node, .. }
        | Event::AttemptFailed { node, .. }
        | Event::TaskFailed { node, .. }) = event
        else {
            return None;
        };
        let entry = state.node(*node);
        let started_at = entry
            .started_at
            .filter(|_| entry.group.is_none() && entry.attempt > 0)?;
        let task = state.task_of(*node);
        Some(Observation {
            agent: &task.agent,
            action: &task.action,
            queue_ms: entry.watch.queue.elapsed_ms(started_at),
            run_ms: at - started_at,
            is_within: !entry.watch.has_missed_one(),
        })
    })
}

/// Tallies by agent and action, with what has changed since they were last stored.
#[derive(Debug, Default)]
pub struct Tallies {
    by_agent: HashMap<String, HashMap<String, Tally>>,
    changed: BTreeSet<(String, String)>,
    count: usize,
}

impl Tallies {
    /// Pairs of agent and action that are told apart; more are not counted.
    pub const PAIRS_MAX: usize = 2_000;

    /// Tallies as they were stored.
    pub fn restore(stored: impl IntoIterator<Item = (String, String, Tally)>) -> Tallies {
        let mut tallies = Tallies::default();
        for (agent, action, tally) in stored.into_iter().take(Tallies::PAIRS_MAX) {
            tallies.count += 1;
            tallies.by_agent.entry(agent).or_default().insert(action, tally);
        }
        tallies
    }

    /// Counts one.
    pub fn add(&mut self, observation: &Observation<'_>) {
        let Observation { agent, action, .. } = *observation;
        let known = self
            .by_agent
            .get_mut(agent)
            .and_then(|actions| actions.get_mut(action));
        match known {
            Some(tally) => tally.add(observation),
            None if self.count >= Tallies::PAIRS_MAX => return,
            None => {
                self.count += 1;
                let actions = self.by_agent.entry(agent.to_owned()).or_default();
                actions.entry(action.to_owned()).or_default().add(observation);
            }
        }
        let is_noted = self
            .changed
            .iter()
            .any(|(known, of)| known == agent && of == action);
        if !is_noted {
            self.changed.insert((agent.to_owned(), action.to_owned()));
        }
    }

    /// The tally of an agent and action.
    pub fn get(&self, agent: &str, action: &str) -> Option<&Tally> {
        self.by_agent.get(agent)?.get(action)
    }

    /// Every tally, by agent and action.
    pub fn all(&self) -> BTreeMap<(String, String), Tally> {
        let all = self.by_agent.iter().flat_map(|(agent, actions)| {
            let pair =
                move |(action, tally): (&String, &Tally)| ((agent.clone(), action.clone()), tally.clone());
            actions.iter().map(pair)
        });
        all.collect()
    }

    /// Whether anything has changed since the last [`Tallies::take_changed`].
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What has changed, to be stored.
    pub fn take_changed(&mut self) -> Vec<(String, String, Tally)> {
        let changed = std::mem::take(&mut self.changed);
        let row = |(agent, action): (String, String)| {
            let tally = self.get(&agent, &action)?.clone();
            Some((agent, action, tally))
        };
        changed.into_iter().filter_map(row).collect()
    }

    /// What could not be stored has still changed.
    pub fn put_back(&mut self, rows: &[(String, String, Tally)]) {
        let pairs = rows
            .iter()
            .map(|(agent, action, _)| (agent.clone(), action.clone()));
        self.changed.extend(pairs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation(action: &str, run_ms: u64) -> Observation<'_> {
        Observation {
            agent: "worker",
            action,
            queue_ms: 5,
            run_ms,
            is_within: run_ms < 100,
        }
    }

    #[test]
    fn attempts_are_counted_by_agent_and_action_and_stored_when_they_change() {
        let mut tallies = Tallies::default();
        (0..30).for_each(|_| tallies.add(&observation("train", 50)));
        tallies.add(&observation("train", 200));
        tallies.add(&observation("test", 1));
        let changed = tallies.take_changed();
        assert_eq!(changed.len(), 2);
        assert!(!tallies.has_changed());
        let train = tallies.get("worker", "train").unwrap();
        assert_eq!((train.attempts, train.within), (31, 30));
        assert_eq!(train.usual_run_ms(), Some(55));
        assert_eq!(
            tallies.get("worker", "test").unwrap().usual_run_ms(),
            None,
            "too few to tell"
        );
        let restored = Tallies::restore(changed.clone());
        assert_eq!(restored.all(), tallies.all());
        tallies.put_back(&changed);
        assert!(tallies.has_changed());
    }

    #[test]
    fn more_pairs_than_can_be_told_apart_are_not_counted() {
        let mut tallies = Tallies::default();
        for n in 0..=Tallies::PAIRS_MAX {
            let action = format!("a{n}");
            tallies.add(&observation(&action, 1));
        }
        assert_eq!(tallies.all().len(), Tallies::PAIRS_MAX);
    }
}
