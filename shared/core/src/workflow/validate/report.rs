//! Collecting problems.

use super::fields::Place;
use super::nearest::nearest;
use crate::workflow::document::{Fault, Lines};
use crate::workflow::problem::{Code, Problem, Severity};

/// Names compared at most to make suggestions for one document.
const COMPARISONS_MAX: usize = 200_000;

/// The problems found so far. Offsets become lines and columns only at the end, since most documents have none.
pub(super) struct Report {
    found: Vec<(Option<u32>, Problem)>,
    problems_max: usize,
    comparisons_left: usize,
    errors: usize,
    omitted: usize,
}

impl Report {
    /// An empty report that keeps at most `problems_max`.
    pub fn new(problems_max: usize) -> Report {
        Report {
            found: Vec::new(),
            problems_max,
            comparisons_left: COMPARISONS_MAX,
            errors: 0,
            omitted: 0,
        }
    }

    /// The candidate that `name` is most likely meant to be, as long as there is time for such luxury.
    pub fn nearest<'c>(
        &mut self,
        name: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        let left = &mut self.comparisons_left;
        nearest(
            name,
            candidates
                .into_iter()
                .take_while(|_| left.checked_sub(1).inspect(|less| *left = *less).is_some()),
        )
    }

    /// Whether any error was found.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Notes an error at a byte offset.
    pub fn error(
        &mut self,
        at: impl Into<Option<u32>>,
        code: Code,
        place: &Place<'_>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.errors += 1;
        self.add(
            at.into(),
            code,
            Severity::Error,
            place,
            message.into(),
            remedy.into(),
        );
    }

    /// Notes a warning.
    pub fn warning(
        &mut self,
        at: u32,
        code: Code,
        place: &Place<'_>,
        message: String,
        remedy: impl Into<String>,
    ) {
        self.add(Some(at), code, Severity::Warning, place, message, remedy.into());
    }

    /// Notes what was wrong with the text.
    pub fn fault(&mut self, fault: Fault) {
        self.error(fault.at, fault.code, &Place::Root, fault.message, fault.remedy);
    }

    fn add(
        &mut self,
        at: Option<u32>,
        code: Code,
        severity: Severity,
        place: &Place<'_>,
        message: String,
        remedy: String,
    ) {
        if self.found.len() >= self.problems_max {
            self.omitted += 1;
            return;
        }
        let problem = Problem {
            code,
            severity,
            path: place.to_string(),
            location: None,
            message,
            remedy,
        };
        self.found.push((at, problem));
    }

    /// Errors and warnings, both in the order of the text.
    pub fn finish(mut self, text: Option<&str>) -> (Vec<Problem>, Vec<Problem>) {
        self.found.sort_by_key(|(at, _)| *at);
        let lines = text.filter(|_| !self.found.is_empty()).map(Lines::of);
        let located = self.found.into_iter().map(|(at, mut problem)| {
            problem.location = at.zip(lines.as_ref()).map(|(at, lines)| lines.locate(at));
            problem
        });
        let (mut errors, warnings): (Vec<Problem>, Vec<Problem>) =
            located.partition(|problem| problem.severity == Severity::Error);
        if self.omitted > 0 && self.errors > 0 {
            errors.push(Problem {
                code: Code::Limit,
                severity: Severity::Error,
                path: String::new(),
                location: None,
                message: format!("{} more problems are not shown", self.omitted),
                remedy: String::new(),
            });
        }
        (errors, warnings)
    }
}
