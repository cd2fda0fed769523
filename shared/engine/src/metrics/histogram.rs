//! Times in buckets.

/// Upper bounds of the buckets, milliseconds; a last one has everything above.
pub const BOUNDS_MS: [u64; 14] = [
    1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 3_600_000,
];

/// How many times of which length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Times within each bound and above the one before; the last is above all.
    pub buckets: [u64; BOUNDS_MS.len() + 1],
    /// Sum of the times, milliseconds.
    pub sum_ms: u64,
}

impl Histogram {
    /// Adds a time.
    pub fn record(&mut self, millis: u64) {
        let bucket = BOUNDS_MS.partition_point(|bound| *bound < millis);
        self.buckets[bucket] += 1;
        self.sum_ms = self.sum_ms.saturating_add(millis);
    }

    /// Number of times.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// A bound that so many percent of the times keep; `None` without times, or when it is above all bounds.
    pub fn within_ms(&self, percent: u64) -> Option<u64> {
        let wanted = (self.count() * percent).div_ceil(100);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            wanted > 0 && seen >= wanted
        });
        bucket.and_then(|bucket| BOUNDS_MS.get(bucket)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_up_to_their_bound() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.within_ms(50), None);
        for millis in [0, 1, 2, 5, 6, 4_000_000] {
            histogram.record(millis);
        }
        assert_eq!(histogram.buckets[..4], [2, 2, 1, 0]);
        assert_eq!((histogram.buckets[14], histogram.count()), (1, 6));
        assert_eq!(histogram.sum_ms, 4_000_014);
        assert_eq!(
            [30, 50, 80, 100].map(|percent| histogram.within_ms(percent)),
            [Some(1), Some(5), Some(10), None]
        );
    }
}
