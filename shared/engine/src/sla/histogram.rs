//! Durations counted in buckets, from which percentiles are read.

use serde::{Deserialize, Serialize};

/// Buckets per doubling: a percentile is off by less than a quarter.
const PER_DOUBLING: u32 = 4;
/// Everything longer counts as this long: about 6 days.
const BUCKETS_MAX: usize = 29 * PER_DOUBLING as usize;

/// How often each duration occurred. Grows with the longest one, to a hundred numbers at most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(Vec<u64>);

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, millis: u64) {
        let bucket = bucket(millis);
        if self.0.len() <= bucket {
            self.0.resize(bucket + 1, 0);
        }
        self.0[bucket] = self.0[bucket].saturating_add(1);
    }

    /// Adds what another one has counted. Buckets that this version does not know are left out.
    pub fn merge(&mut self, buckets: impl IntoIterator<Item = (usize, u64)>) {
        for (bucket, count) in buckets.into_iter().filter(|(bucket, _)| *bucket < BUCKETS_MAX) {
            if self.0.len() <= bucket {
                self.0.resize(bucket + 1, 0);
            }
            self.0[bucket] = self.0[bucket].saturating_add(count);
        }
    }

    /// The buckets that have counted something, by number.
    pub fn buckets(&self) -> impl Iterator<Item = (usize, u64)> {
        let counted = self.0.iter().copied().enumerate();
        counted.filter(|(_, count)| *count > 0)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The duration that so many percent do not exceed, rounded up to the end of its bucket; `None` without any.
    pub fn percentile(&self, percent: u8) -> Option<u64> {
        let wanted = (self.count() * u64::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map(upper)
    }
}

/// Buckets 0 to 3 are 0 to 3 ms; from there on each doubling has [`PER_DOUBLING`].
fn bucket(millis: u64) -> usize {
    let exponent = millis.max(1).ilog2();
    if exponent < 2 {
        return millis as usize;
    }
    let within = (millis >> (exponent - 2)) & 3;
    let bucket = (exponent - 1) * PER_DOUBLING + within as u32;
    (bucket as usize).min(BUCKETS_MAX - 1)
}

/// The longest duration of a bucket.
fn upper(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (exponent, within) = (bucket as u32 / PER_DOUBLING + 1, bucket as u64 % 4);
    ((4 + within + 1) << (exponent - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_its_bucket_and_off_by_less_than_a_quarter() {
        let mut last = 0;
        for millis in (0..4_096).chain([10_000, 123_456, 86_400_000]) {
            let bucket = bucket(millis);
            assert!(bucket >= last, "{millis}");
            last = bucket;
            let upper = upper(bucket);
            assert!(
                upper >= millis && upper * 4 <= millis * 5 + 4,
                "{millis}: {upper}"
            );
        }
        assert_eq!(super::bucket(u64::MAX), BUCKETS_MAX - 1);
    }

    #[test]
    fn percentiles() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), None);
        (1..=100).for_each(|n| histogram.add(n * 10));
        assert_eq!(histogram.count(), 100);
        let p50 = histogram.percentile(50).unwrap_or(0);
        let p99 = histogram.percentile(99).unwrap_or(0);
        assert!(
            (500..625).contains(&p50) && (990..1_240).contains(&p99),
            "{p50} {p99}"
        );
        let mut merged = Histogram::default();
        merged.merge(histogram.buckets().chain([(usize::MAX, 1)]));
        assert_eq!(merged, histogram);
        let stored = serde_json::to_string(&histogram).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&stored).unwrap(), histogram);
    }
}
