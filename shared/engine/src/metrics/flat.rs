//! Counts as names with numbers that can be added up: the form in which processes that come and go add theirs to a common store.

use std::collections::BTreeMap;

use super::{Counts, Histogram};

/// Counts by name, for example `tasks.SUCCESS` or `run_time.7`. Those of two processes are added name by name.
pub type Flat = BTreeMap<String, u64>;

/// Between the kind of a count and what is counted.
const SEPARATOR: char = '.';
/// The part of a histogram that is the sum of its times.
const SUM: &str = "sum_ms";

impl Counts {
    /// The counts that are not zero. The time of the last sweep is left out: it cannot be added up.
    pub fn flatten(&self) -> Flat {
        let mut flat = Flat::new();
        let mut copy = self.clone();
        for (kind, named) in copy.named() {
            flat.extend(named.iter().map(|(name, count)| (join(kind, name), *count)));
        }
        for (name, count) in copy.single() {
            flat.insert(name.to_owned(), *count);
        }
        for (kind, histogram) in copy.times() {
            let buckets = histogram.buckets.iter().enumerate();
            flat.extend(buckets.map(|(bucket, count)| (join(kind, &bucket.to_string()), *count)));
            flat.insert(join(kind, SUM), histogram.sum_ms);
        }
        flat.retain(|_, count| *count > 0);
        flat
    }

    /// The counts of these names. A name that this version does not know is left out.
    pub fn unflatten(flat: &Flat) -> Counts {
        let mut counts = Counts::default();
        for (name, count) in flat {
            let Some((kind, part)) = name.split_once(SEPARATOR) else {
                let single = counts.single();
                if let Some((_, known)) = single.into_iter().find(|(known, _)| known == name) {
                    *known = *count;
                }
                continue;
            };
            if let Some((_, named)) = counts.named().into_iter().find(|(known, _)| *known == kind) {
                named.insert(part.to_owned(), *count);
            } else if let Some((_, times)) = counts.times().into_iter().find(|(known, _)| *known == kind) {
                match part.parse::<usize>() {
                    _ if part == SUM => times.sum_ms = *count,
                    Ok(bucket) if bucket < times.buckets.len() => times.buckets[bucket] = *count,
                    _ => {}
                }
            }
        }
        counts
    }

    fn named(&mut self) -> [(&'static str, &mut BTreeMap<String, u64>); 9] {
        [
            ("runs", &mut self.runs),
            ("tasks", &mut self.tasks),
            ("failures", &mut self.failures),
            ("decisions", &mut self.decisions),
            ("holds", &mut self.holds),
            ("rules", &mut self.rules),
            ("alerts", &mut self.alerts),
            ("breaches", &mut self.breaches),
            ("result_lookups", &mut self.result_lookups),
        ]
    }

    fn single(&mut self) -> [(&'static str, &mut u64); 9] {
        [
            ("attempts", &mut self.attempts),
            ("retries", &mut self.retries),
            ("refused_reports", &mut self.refused_reports),
            ("appends", &mut self.appends),
            ("events", &mut self.events),
            ("conflicts", &mut self.conflicts),
            ("failed_turns", &mut self.failed_turns),
            ("sweeps", &mut self.sweeps),
            ("swept_runs", &mut self.swept_runs),
        ]
    }

    fn times(&mut self) -> [(&'static str, &mut Histogram); 3] {
        [
            ("queue_time", &mut self.queue_time),
            ("run_time", &mut self.run_time),
            ("workflow_time", &mut self.workflow_time),
        ]
    }
}

fn join(kind: &str, part: &str) -> String {
    format!("{kind}{SEPARATOR}{part}")
}

#[cfg(test)]
mod tests {
    use super::super::count;
    use super::*;

    #[test]
    fn counts_are_the_same_after_they_were_stored_name_by_name() {
        let mut counts = Counts::default();
        assert!(counts.flatten().is_empty());
        count(&mut counts.runs, "SUCCESS");
        count(&mut counts.rules, "gpu.for.large.data");
        count(&mut counts.rules, "gpu.for.large.data");
        counts.attempts = 7;
        counts.events = 9;
        counts.run_time.record(12);
        counts.workflow_time.record(9_000_000);
        let flat = counts.flatten();
        assert_eq!(flat["rules.gpu.for.large.data"], 2);
        assert_eq!((flat["attempts"], flat["run_time.sum_ms"]), (7, 12));
        assert!(flat.values().all(|count| *count > 0));
        assert_eq!(Counts::unflatten(&flat), counts);
    }

    #[test]
    fn names_of_another_version_are_left_out() {
        let flat = [("a", 1), ("b.c", 2), ("run_time.99", 3), ("run_time.x", 4)];
        let flat = flat.map(|(name, count)| (name.to_owned(), count)).into();
        assert_eq!(Counts::unflatten(&flat), Counts::default());
    }
}
