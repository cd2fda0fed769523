//! Figures of all functions together: how long the tasks of each agent take, and what has been counted.
//!
//! `FIGURES` / `A#<agent>#<action>`: attempts of one agent and action: `n` how many, `w` how many of them missed no deadline,
//! `q<bucket>` and `r<bucket>` the times they waited and ran. `FIGURES` / `N`: counts by name.
//!
//! A process adds up what it has seen and adds that to the table when an invocation ends: at once while there is little to
//! do, and every [`REFILL_MS`] under load, so that a task costs no write of its own. What a process has not written when
//! it is stopped is lost: at most its last [`REFILL_MS`]. These are figures for people; the journals have the truth.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::metrics::Flat;
use orchestrator_engine::sla::{Observation, Tallies, Tally};

use crate::fault::Fault;
use crate::table::item::{Item, Value, number, text_of};
use crate::table::keys::{Key, SK};
use crate::table::{Query, Table};

/// Time after which a process under load may write again, milliseconds.
pub const REFILL_MS: u64 = 10_000;
/// Writes a process may make at once after a quiet time.
const BURST: u64 = 20;
/// Pairs of agent and action written at a time; the others wait for the next.
const PAIRS_AT_ONCE: usize = 50;
/// Names in one update: DynamoDB takes expressions of 4 KB.
const NAMES_AT_ONCE: usize = 150;
/// Pages of 1 MB that are read.
const PAGES_MAX: usize = 8;

/// Attempts that ended after they had started.
const ATTEMPTS: &str = "n";
/// Those of them that missed no deadline.
const WITHIN: &str = "w";
/// Before the number of a bucket of times in the queue.
const QUEUED: &str = "q";
/// Before the number of a bucket of times at work.
const RAN: &str = "r";

/// The figures. Cheap to clone; clones share what is on its way.
#[derive(Debug, Clone)]
pub struct Figures {
    table: Table,
    pending: Arc<Mutex<Pending>>,
}

/// Tallies by agent and action.
type ByAgent = HashMap<(String, String), Tally>;

/// What this process has seen and not written yet.
#[derive(Debug, Default)]
struct Pending {
    tallies: ByAgent,
    counts: Flat,
    /// Writes made since the allowance was full.
    spent: u64,
    /// When the allowance was last reckoned.
    reckoned_at: Option<Timestamp>,
}

impl Figures {
    /// Figures kept in `table`.
    pub fn new(table: Table) -> Figures {
        Figures {
            table,
            pending: Arc::default(),
        }
    }

    /// Notes an attempt that has ended.
    pub fn observe(&self, observation: &Observation<'_>) {
        let mut pending = self.lock();
        let pair = (observation.agent.to_owned(), observation.action.to_owned());
        if pending.tallies.len() < Tallies::PAIRS_MAX || pending.tallies.contains_key(&pair) {
            pending.tallies.entry(pair).or_default().add(observation);
        }
    }

    /// Notes what has been counted.
    pub fn count(&self, counts: Flat) {
        let mut pending = self.lock();
        for (name, count) in counts {
            *pending.counts.entry(name).or_default() += count;
        }
    }

    /// Adds to the table what there is, if this process may write again. What cannot be written now is kept.
    pub async fn flush(&self, now: Timestamp) {
        let Some((tallies, counts)) = self.lock().take(now) else {
            return;
        };
        let of_agents = tallies.into_iter().map(async |((agent, action), tally)| {
            let key = Key::agent_figures(&agent, &action);
            if let Err(fault) = self.add(&key, attributes_of(&tally)).await {
                tracing::warn!(agent, action, %fault, "figures of an agent could not be added");
                if !fault.kind.may_have_worked() {
                    merge(self.lock().tallies.entry((agent, action)).or_default(), &tally);
                }
            }
        });
        join_all(of_agents).await;
        if let Err(fault) = self.add(&Key::counts(), counts.clone()).await {
            tracing::warn!(%fault, "counts could not be added");
            if !fault.kind.may_have_worked() {
                let mut pending = self.lock();
                for (name, count) in counts {
                    *pending.counts.entry(name).or_default() += count;
                }
            }
        }
    }

    async fn add(&self, key: &Key, numbers: Flat) -> Result<(), Fault> {
        let numbers: Vec<(String, u64)> = numbers.into_iter().collect();
        for numbers in numbers.chunks(NAMES_AT_ONCE) {
            let mut update = self.table.update(key);
            let mut bytes = 0;
            let mut terms = Vec::with_capacity(numbers.len());
            for (index, (name, count)) in numbers.iter().enumerate() {
                bytes += name.len() + 4;
                terms.push(format!("#{index} :{index}"));
                update = update
                    .expression_attribute_names(format!("#{index}"), name)
                    .expression_attribute_values(format!(":{index}"), number(count));
            }
            let update = update.update_expression(format!("ADD {}", terms.join(", ")));
            self.table.apply(update, bytes, 0).await?;
        }
        Ok(())
    }

    /// How long tasks take, by agent and action, of all functions.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn tallies(&self) -> Result<BTreeMap<(String, String), Tally>, Fault> {
        let (first, last) = Key::all_agent_figures();
        let query = Query::between(Key::figures(), first, last);
        let mut tallies = BTreeMap::new();
        let keep = |page: Vec<Item>| {
            tallies.extend(page.iter().filter_map(|item| {
                let pair = Key::agent_of_figures(text_of(item, SK).ok()?)?;
                Some((pair, tally_of(item)))
            }));
            tallies.len() >= Tallies::PAIRS_MAX
        };
        self.table.query(query, PAGES_MAX, keep).await?;
        Ok(tallies)
    }

    /// What has been counted, by name, by all functions: [`orchestrator_engine::metrics::Counts`], and what desks of translators count.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn counts(&self) -> Result<Flat, Fault> {
        let item = self.table.get(&Key::counts()).await?.unwrap_or_default();
        let counts = numbers_of(&item).map(|(name, count)| (name.to_owned(), count));
        Ok(counts.collect())
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// What is to be written now, if anything is and the allowance has something left.
    fn take(&mut self, now: Timestamp) -> Option<(ByAgent, Flat)> {
        if self.tallies.is_empty() && self.counts.is_empty() {
            return None;
        }
        let since = *self.reckoned_at.get_or_insert(now);
        let refilled = now.millis_since(since) / REFILL_MS;
        if refilled > 0 {
            self.spent = self.spent.saturating_sub(refilled);
            self.reckoned_at = Some(now);
        }
        if self.spent >= BURST {
            return None;
        }
        self.spent += 1;
        let mut taken = std::mem::take(&mut self.tallies);
        while taken.len() > PAIRS_AT_ONCE
            && let Some(pair) = taken.keys().next().cloned()
        {
            let tally = taken.remove(&pair).unwrap_or_default();
            self.tallies.insert(pair, tally);
        }
        Some((taken, std::mem::take(&mut self.counts)))
    }
}

fn attributes_of(tally: &Tally) -> Flat {
    let single = [(ATTEMPTS, tally.attempts), (WITHIN, tally.within)];
    let single = single.into_iter().map(|(name, count)| (name.to_owned(), count));
    let named = |prefix: &'static str| move |(bucket, count)| (format!("{prefix}{bucket}"), count);
    let queued = tally.queue.buckets().map(named(QUEUED));
    let ran = tally.run.buckets().map(named(RAN));
    single.chain(queued).chain(ran).collect()
}

fn tally_of(item: &Item) -> Tally {
    let mut tally = Tally::default();
    for (name, count) in numbers_of(item) {
        let bucket = |prefix: &str| name.strip_prefix(prefix)?.parse::<usize>().ok();
        match name {
            ATTEMPTS => tally.attempts = count,
            WITHIN => tally.within = count,
            _ => {
                tally.queue.merge(bucket(QUEUED).map(|bucket| (bucket, count)));
                tally.run.merge(bucket(RAN).map(|bucket| (bucket, count)));
            }
        }
    }
    tally
}

fn merge(into: &mut Tally, from: &Tally) {
    into.attempts += from.attempts;
    into.within += from.within;
    into.queue.merge(from.queue.buckets());
    into.run.merge(from.run.buckets());
}

fn numbers_of(item: &Item) -> impl Iterator<Item = (&str, u64)> {
    item.iter().filter_map(|(name, value)| match value {
        Value::N(number) => Some((name.as_str(), number.parse().ok()?)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(times: &[u64]) -> Tally {
        let mut tally = Tally::default();
        for run_ms in times {
            tally.add(&Observation {
                agent: "a",
                action: "b",
                queue_ms: 3,
                run_ms: *run_ms,
                is_within: *run_ms < 100,
            });
        }
        tally
    }

    #[test]
    fn a_tally_is_the_same_after_it_was_stored() {
        let tally = tally(&[1, 50, 50, 90_000]);
        let item: Item = attributes_of(&tally)
            .into_iter()
            .map(|(name, count)| (name, number(count)))
            .collect();
        assert_eq!(tally_of(&item), tally);
        let mut twice = tally.clone();
        merge(&mut twice, &tally);
        assert_eq!((twice.attempts, twice.within), (8, 6));
        assert_eq!(twice.run.count(), 8);
    }

    #[test]
    fn under_load_writes_are_few_and_nothing_is_lost_by_waiting() {
        let mut pending = Pending::default();
        assert!(pending.take(Timestamp(0)).is_none(), "nothing to write");
        let mut written = 0;
        let mut writes = 0;
        let mut take = |pending: &mut Pending, at| {
            if let Some((_, counts)) = pending.take(Timestamp(at)) {
                writes += 1;
                written += counts["attempts"];
            }
            (writes, written)
        };
        for at in 0..1_000 {
            *pending.counts.entry("attempts".to_owned()).or_default() += 1;
            take(&mut pending, at);
        }
        assert_eq!(take(&mut pending, 9_999), (BURST, BURST));
        assert_eq!(take(&mut pending, 10_000), (BURST + 1, 1_000));
    }

    #[test]
    fn more_pairs_than_fit_wait_for_the_next_write() {
        let mut pending = Pending::default();
        for n in 0..=PAIRS_AT_ONCE {
            pending
                .tallies
                .insert(("a".to_owned(), n.to_string()), tally(&[1]));
        }
        let (taken, _) = pending.take(Timestamp(0)).expect("there is something");
        assert_eq!((taken.len(), pending.tallies.len()), (PAIRS_AT_ONCE, 1));
    }
}
