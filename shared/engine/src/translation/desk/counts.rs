//! What a desk has done: lookups by outcome, and what was used up and saved.

use std::collections::BTreeMap;

use orchestrator_translate::Usage;

use crate::api::backend::TranslationStats;
use crate::metrics::Flat;

/// Counts since the process started, or since they were last drained.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Lookups, by outcome.
    pub lookups: BTreeMap<String, u64>,
    /// What was used up and saved; `remembered` is not counted here.
    pub stats: TranslationStats,
}

/// Before the outcome of a lookup.
const LOOKUP: &str = "cache_";
/// Before the name of a number.
const NUMBER: &str = "translation_";
/// Dollars are stored in billionths.
const NANO: f64 = 1e9;

impl Counts {
    /// One more lookup with this outcome.
    pub(super) fn lookup(&mut self, outcome: &str) {
        *self.lookups.entry(outcome.to_owned()).or_default() += 1;
    }

    /// Somebody was asked.
    pub(super) fn asked(&mut self, usage: Usage, rejected: u64) {
        let stats = &mut self.stats;
        stats.translations += 1;
        stats.rejected += rejected;
        stats.calls += u64::from(usage.calls);
        stats.tokens += tokens(usage);
        stats.cost_usd += usage.cost_usd;
    }

    /// Nobody had to be asked.
    pub(super) fn saved(&mut self, usage: Usage) {
        self.stats.saved_tokens += tokens(usage);
        self.stats.saved_usd += usage.cost_usd;
    }

    /// Counts by name, for hosts that add up those of several processes. Zeros are left out.
    pub fn flatten(&self) -> Flat {
        let mut copy = self.clone();
        let lookups = self
            .lookups
            .iter()
            .map(|(outcome, count)| (format!("{LOOKUP}{outcome}"), *count));
        let mut flat: Flat = lookups.collect();
        for (name, count) in numbers(&mut copy.stats) {
            flat.insert(format!("{NUMBER}{name}"), *count);
        }
        for (name, usd) in dollars(&mut copy.stats) {
            flat.insert(format!("{NUMBER}{name}"), (*usd * NANO).round() as u64);
        }
        flat.retain(|_, count| *count > 0);
        flat
    }

    /// The counts of these names. A name that is none of theirs is left out.
    pub fn unflatten(flat: &Flat) -> Counts {
        let mut counts = Counts::default();
        for (name, count) in flat {
            if let Some(outcome) = name.strip_prefix(LOOKUP) {
                counts.lookups.insert(outcome.to_owned(), *count);
            }
            let Some(name) = name.strip_prefix(NUMBER) else {
                continue;
            };
            for (known, number) in numbers(&mut counts.stats) {
                if known == name {
                    *number = *count;
                }
            }
            for (known, usd) in dollars(&mut counts.stats) {
                if known == name {
                    *usd = *count as f64 / NANO;
                }
            }
        }
        counts
    }
}

fn numbers(stats: &mut TranslationStats) -> [(&'static str, &mut u64); 6] {
    [
        ("translations", &mut stats.translations),
        ("rejected", &mut stats.rejected),
        ("calls", &mut stats.calls),
        ("failed_calls", &mut stats.failed_calls),
        ("tokens", &mut stats.tokens),
        ("saved_tokens", &mut stats.saved_tokens),
    ]
}

fn dollars(stats: &mut TranslationStats) -> [(&'static str, &mut f64); 2] {
    [
        ("cost_nanousd", &mut stats.cost_usd),
        ("saved_nanousd", &mut stats.saved_usd),
    ]
}

fn tokens(usage: Usage) -> u64 {
    usage.input_tokens + usage.output_tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_the_same_after_they_were_added_up_elsewhere() {
        let mut counts = Counts::default();
        counts.lookup("hit");
        counts.lookup("hit");
        counts.lookup("miss");
        let usage = Usage {
            calls: 2,
            input_tokens: 100,
            output_tokens: 50,
            cost_usd: 0.000_2,
        };
        counts.asked(usage, 1);
        counts.saved(usage);
        counts.stats.failed_calls = 3;
        let flat = counts.flatten();
        assert_eq!(Counts::unflatten(&flat), counts);
        assert_eq!(flat["translation_cost_nanousd"], 200_000);
        let others = Flat::from([("runs:SUCCESS".to_owned(), 7)]);
        assert_eq!(Counts::unflatten(&others), Counts::default());
    }
}
