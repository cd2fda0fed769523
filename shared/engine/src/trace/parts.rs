//! The parts of a run: it is one until its first end, and every retry, rerun or rollback after an end begins another.

use super::mark::{Kind, Mark};

/// Which part of a run goes on, or was the last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    number: u32,
    has_ended: bool,
}

impl Parts {
    /// The part, 0 at first.
    pub(crate) fn number(self) -> u32 {
        self.number
    }

    /// Whether it has come to its end.
    pub(super) fn has_ended(self) -> bool {
        self.has_ended
    }

    /// Takes in the next mark of the run.
    pub(crate) fn see(&mut self, mark: &Mark) {
        match &mark.0 {
            Kind::Succeeded | Kind::Failed | Kind::Cancelled => _ = self.end(),
            Kind::Reopened => _ = self.reopen(),
            _ => {}
        }
    }

    /// The run ends. Whether it was going on.
    pub(super) fn end(&mut self) -> bool {
        !std::mem::replace(&mut self.has_ended, true)
    }

    /// The run is started again. Whether it had ended: else it goes on with the part it is in.
    pub(super) fn reopen(&mut self) -> bool {
        let had_ended = std::mem::take(&mut self.has_ended);
        self.number += u32::from(had_ended);
        had_ended
    }
}
