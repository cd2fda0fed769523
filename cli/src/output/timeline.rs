//! Bars of time, in characters.

use orchestrator_engine::views::{At, TaskTraceView};

use super::text;

/// What phases look like.
#[derive(Debug)]
pub struct Marks {
    running: char,
    queued: char,
    held: char,
    decision: char,
    retry_wait: char,
    failed: char,
    group: char,
    instant: char,
    /// Both ends of a bar.
    pub edge: char,
    /// A task of the critical path.
    pub critical: char,
    /// Between tasks of a path.
    pub arrow: &'static str,
}

impl Marks {
    /// Blocks and shades.
    pub const UNICODE: Marks = Marks {
        running: '█',
        queued: '▒',
        held: '░',
        decision: '·',
        retry_wait: '~',
        failed: '✗',
        group: '═',
        instant: '╵',
        edge: '│',
        critical: '*',
        arrow: "→",
    };
    /// Letters of every terminal.
    pub const ASCII: Marks = Marks {
        running: '#',
        queued: ':',
        held: '-',
        decision: '.',
        retry_wait: '~',
        failed: 'x',
        group: '=',
        instant: '\'',
        edge: '|',
        critical: '*',
        arrow: "->",
    };

    /// What the marks mean.
    pub fn legend(&self) -> String {
        format!(
            "{} running  {} failed  {} queued  {} held  {} waits for its next attempt  {} waits for a decision  {} critical path",
            self.running, self.failed, self.queued, self.held, self.retry_wait, self.decision, self.critical
        )
    }

    fn of(&self, phase: &str) -> char {
        match phase {
            "running" => self.running,
            "queued" => self.queued,
            "held" => self.held,
            "retry wait" => self.retry_wait,
            _ => self.decision,
        }
    }
}

/// Phases that are drawn over others where both take part of one cell: the later in this list.
const ORDER: [&str; 5] = ["decision", "queued", "retry wait", "held", "running"];

/// Where bars are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Drawing<'a> {
    /// What phases look like.
    pub marks: &'a Marks,
    /// The time at the left edge.
    pub from: At,
    /// Time from edge to edge.
    pub millis: u64,
    /// Columns between the edges.
    pub cells: usize,
}

impl Drawing<'_> {
    /// The beginning and the end of the time, above the edges.
    pub fn scale(&self) -> String {
        let (start, end) = (text::duration(0), text::duration(self.millis));
        let gap = (self.cells + 2).saturating_sub(start.len() + end.len());
        format!("{start}{}{end}", " ".repeat(gap))
    }

    /// The bar of a task.
    pub fn bar(&self, task: &TaskTraceView) -> String {
        let mut cells = vec![' '; self.cells];
        if task.phases.is_empty() {
            let took = task.end.millis_since(task.start);
            let mark = if took > 0 {
                self.marks.group
            } else {
                self.marks.instant
            };
            self.paint(&mut cells, task.start, task.end, mark);
        }
        for name in ORDER {
            for phase in task.phases.iter().filter(|phase| phase.phase == name) {
                let last = self.paint(&mut cells, phase.start, phase.end, self.marks.of(name));
                if phase.outcome.as_deref() == Some("failed") {
                    cells[last] = self.marks.failed;
                }
            }
        }
        cells.into_iter().collect()
    }

    /// Fills the cells of a time; returns the last.
    fn paint(&self, cells: &mut [char], start: At, end: At, mark: char) -> usize {
        let (first, last) = self.range(start, end);
        cells[first..=last].fill(mark);
        last
    }

    /// The cells of a time, at least one.
    fn range(&self, start: At, end: At) -> (usize, usize) {
        let first = self.cell(start);
        let last = self.cell(end).max(first);
        // A time that ends where a cell begins takes no part of it.
        let is_at_edge = last > first && self.is_at_edge(end);
        (first, if is_at_edge { last - 1 } else { last })
    }

    fn cell(&self, at: At) -> usize {
        let millis = u128::from(at.millis_since(self.from));
        let cell = millis * self.cells as u128 / u128::from(self.millis.max(1));
        usize::try_from(cell).unwrap_or(usize::MAX).min(self.cells - 1)
    }

    fn is_at_edge(&self, at: At) -> bool {
        let millis = u128::from(at.millis_since(self.from));
        (millis * self.cells as u128).is_multiple_of(u128::from(self.millis.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::run::TaskStatus;
    use orchestrator_core::time::Timestamp;
    use orchestrator_engine::views::trace::PhaseView;

    use super::*;

    fn at(millis: i64) -> At {
        At(Timestamp(millis))
    }

    fn phase(phase: &str, start: i64, end: i64, outcome: Option<&str>) -> PhaseView {
        PhaseView {
            phase: phase.to_owned(),
            start: at(start),
            end: at(end),
            outcome: outcome.map(str::to_owned),
            attempt: None,
            reason: None,
        }
    }

    fn bar(millis: u64, phases: Vec<PhaseView>) -> String {
        let drawing = Drawing {
            marks: &Marks::ASCII,
            from: at(0),
            millis,
            cells: 10,
        };
        drawing.bar(&TaskTraceView {
            id: "t".to_owned(),
            status: TaskStatus::Success,
            is_critical: false,
            attempts: 1,
            is_cached: false,
            start: at(0),
            end: at(50),
            phases,
        })
    }

    #[test]
    fn every_phase_has_its_cells_and_at_least_one() {
        let phases = vec![
            phase("decision", 0, 10, None),
            phase("queued", 10, 30, None),
            phase("running", 30, 50, Some("failed")),
            phase("retry wait", 50, 60, None),
            phase("held", 60, 61, None),
            phase("running", 99, 100, Some("success")),
        ];
        assert_eq!(bar(100, phases), ".::#x~-  #");
        assert_eq!(bar(100, Vec::new()), "=====     ");
        assert_eq!(bar(0, vec![phase("running", 0, 0, None)]), "#         ");
    }

    #[test]
    fn the_scale_ends_at_the_right_edge() {
        let drawing = Drawing {
            marks: &Marks::UNICODE,
            from: at(0),
            millis: 1_500,
            cells: 10,
        };
        assert_eq!(drawing.scale(), "0 ms   1.5 s");
    }
}
