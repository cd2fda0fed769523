//! Tasks by state: a bar, and the numbers beside it.

use std::collections::BTreeMap;

use maud::{Markup, html};
use orchestrator_core::run::TaskStatus;

use super::status::look;

/// Which state says most about a group of tasks: bad news first, then what goes on, then what is over.
const ORDER: [TaskStatus; 10] = [
    TaskStatus::Failed,
    TaskStatus::Running,
    TaskStatus::RetryWait,
    TaskStatus::Held,
    TaskStatus::Queued,
    TaskStatus::Ready,
    TaskStatus::Cancelled,
    TaskStatus::Pending,
    TaskStatus::Success,
    TaskStatus::Skipped,
];

/// Tasks by state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts([u32; 10]);

impl Counts {
    /// Reads what the API counted.
    pub fn of(counts: &BTreeMap<String, u32>) -> Counts {
        let mut all = Counts::default();
        for (index, status) in ORDER.iter().enumerate() {
            all.0[index] = counts.get(status.as_str()).copied().unwrap_or(0);
        }
        all
    }

    /// One more in this state.
    pub fn add(&mut self, status: TaskStatus) {
        let place = ORDER.iter().position(|known| *known == status);
        self.0[place.unwrap_or(0)] += 1;
    }

    /// All together.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// The state that says most.
    pub fn worst(&self) -> TaskStatus {
        let found = self.iter().next();
        found.map_or(TaskStatus::Pending, |(status, _)| status)
    }

    /// States with tasks, the ones that say most first.
    pub fn iter(&self) -> impl Iterator<Item = (TaskStatus, u32)> {
        ORDER.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// As in `2 failed, 3 success`.
    pub fn words(&self) -> String {
        let words: Vec<String> = self
            .iter()
            .map(|(status, count)| format!("{count} {}", status.as_str().to_lowercase().replace('_', " ")))
            .collect();
        words.join(", ")
    }

    /// Rectangles side by side across the box of the bar.
    pub fn rectangles(&self, (x, y): (f64, f64), (width, height): (f64, f64)) -> Markup {
        let whole = f64::from(self.total().max(1));
        // Ended well on the left, open on the right, as progress bars are read.
        let mut shown: Vec<(TaskStatus, u32)> = self.iter().collect();
        shown.reverse();
        let parts = shown.into_iter().scan(x, |left, (status, count)| {
            let (start, part) = (*left, f64::from(count) / whole * width);
            *left += part;
            Some((status, start, part))
        });
        html! {
            @for (status, start, part) in parts {
                rect class=(format!("f-{}", look(status))) x=(number(start)) y=(number(y)) width=(number(part)) height=(number(height)) {}
            }
        }
    }

    /// A bar of this width at most, with the numbers as its name.
    pub fn bar(&self) -> Markup {
        html! {
            svg.bar role="img" aria-label=(self.words()) viewBox="0 0 200 8" preserveAspectRatio="none" {
                (self.rectangles((0.0, 0.0), (200.0, 8.0)))
            }
        }
    }
}

/// A coordinate, without digits nobody sees.
pub fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0")
        .map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_news_comes_first() {
        let mut counts = Counts::default();
        assert_eq!(counts.worst(), TaskStatus::Pending);
        for status in [TaskStatus::Success, TaskStatus::Success, TaskStatus::Running] {
            counts.add(status);
        }
        assert_eq!((counts.worst(), counts.total()), (TaskStatus::Running, 3));
        counts.add(TaskStatus::Failed);
        assert_eq!(counts.words(), "1 failed, 1 running, 2 success");
        assert_eq!(TaskStatus::ALL.len(), ORDER.len());
    }
}
