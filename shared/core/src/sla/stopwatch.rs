//! Time that counts, with pauses.

use crate::time::Timestamp;

/// Measures time that counts towards a deadline. It may be stopped and started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stopwatch {
    spent_ms: u64,
    since: Option<Timestamp>,
}

impl Stopwatch {
    /// Starts it, unless it runs.
    pub fn start(&mut self, at: Timestamp) {
        self.since.get_or_insert(at);
    }

    /// Stops it. A clock that went backwards counts for nothing.
    pub fn stop(&mut self, at: Timestamp) {
        if let Some(since) = self.since.take() {
            self.spent_ms = self.spent_ms.saturating_add(at - since);
        }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.since.is_some()
    }

    /// When it would have been started, had it never stopped; `None` while it stands still.
    pub fn origin(&self) -> Option<Timestamp> {
        self.since
            .map(|since| Timestamp(since.0.saturating_sub_unsigned(self.spent_ms)))
    }

    /// What it shows.
    pub fn elapsed_ms(&self, now: Timestamp) -> u64 {
        self.spent_ms
            .saturating_add(self.since.map_or(0, |since| now - since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_do_not_count() {
        let mut watch = Stopwatch::default();
        watch.start(Timestamp(100));
        watch.start(Timestamp(150));
        watch.stop(Timestamp(200));
        watch.stop(Timestamp(300));
        assert_eq!(watch.elapsed_ms(Timestamp(9_000)), 100);
        watch.start(Timestamp(1_000));
        assert_eq!(watch.origin(), Some(Timestamp(900)));
        assert_eq!(watch.elapsed_ms(Timestamp(1_050)), 150);
    }

    #[test]
    fn a_clock_that_goes_backwards_takes_nothing_away() {
        let mut watch = Stopwatch::default();
        watch.start(Timestamp(100));
        watch.stop(Timestamp(40));
        assert_eq!(watch.elapsed_ms(Timestamp(0)), 0);
    }
}
