//! What a person sees: one line per step with its duration, everything a failed step printed, the counts at the end.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::counts::Counts;

/// The result of one step.
pub struct Step {
    pub counts: Counts,
    /// What is worth saying in the step's line when all is well, such as `312 tests`.
    pub note: String,
    /// What the step printed, shown if something failed.
    pub output: String,
}

impl Step {
    /// A step that is one check, without parts.
    pub fn check(outcome: crate::run::Outcome) -> Step {
        Step {
            counts: Counts::one(outcome.success),
            note: String::new(),
            output: outcome.output,
        }
    }

    /// A step that failed before it had any parts.
    pub fn failed(why: String) -> Step {
        Step {
            counts: Counts::one(false),
            note: String::new(),
            output: why,
        }
    }

    /// A step that cannot be done here, and why.
    pub fn left_out(why: &str) -> Step {
        Step {
            counts: Counts::default(),
            note: format!("left out: {why}"),
            output: String::new(),
        }
    }
}

/// Prints the steps as they are done and adds them up.
#[derive(Default)]
pub struct Report {
    rows: Vec<(&'static str, Counts)>,
}

impl Report {
    /// Does one step. Returns whether all of it passed.
    pub fn step(&mut self, name: &'static str, work: impl FnOnce() -> Step) -> bool {
        print!("{name:<24}");
        flush();
        let (done, took) = timed(work);
        let passed = done.counts.failed == 0;
        let verdict = match (passed, done.counts.passed) {
            (false, _) => "FAILED",
            (true, 0) => "-",
            (true, _) => "ok",
        };
        let line = format!("{verdict:<7} {:>7.1} s   {}", took.as_secs_f64(), done.note);
        println!("{}", line.trim_end());
        if !passed {
            println!("\n{}\n", done.output.trim_end());
        }
        flush();
        self.rows.push((name, done.counts));
        passed
    }

    /// Prints the counts. Returns whether everything passed.
    pub fn finish(self) -> bool {
        let mut total = Counts::default();
        println!();
        for (name, counts) in self.rows {
            println!("{name:<24}{counts}");
            total += counts;
        }
        println!("\n{total}");
        total.failed == 0 && total.passed > 0
    }
}

/// The work's result and how long it took.
#[expect(
    clippy::disallowed_methods,
    reason = "durations are shown to people and decide nothing"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// A reader that has gone away is no reason to stop.
fn flush() {
    let _ = std::io::stdout().flush();
}
