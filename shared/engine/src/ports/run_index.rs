//! Finding runs. Derived from the journals and written with them.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{RunState, RunStatus};
use orchestrator_core::time::Timestamp;

use crate::error::HostError;

/// Finds runs without reading journals. `summary` sees what was appended before it; `list` may lag a moment behind, where the
/// index is kept up to date by somebody else.
pub trait RunIndex {
    /// The summary of one run; `None` for an unknown run.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>, HostError>;

    /// Runs that match, newest first, at most `query.limit`.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, HostError>;

    /// Writes the summary of a run as it is after append `seq`, if the index shows something else, and has the run looked
    /// at by `look_at`, if that is given and the next look is later or overdue: this was it. For hosts whose index is not written in one transaction with the
    /// journal, and that find by it what is due; called when a run is recovered.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn repair(
        &self,
        summary: &RunSummary,
        seq: u64,
        look_at: Option<Timestamp>,
    ) -> Result<(), HostError> {
        let _ = (summary, seq, look_at);
        Ok(())
    }

    /// Notes what a look at a run finds: tasks that take long, a run that does not move. For hosts that do not have all
    /// runs in memory; called when a run is recovered.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn looked_at(&self, state: &RunState, now: Timestamp) -> Result<(), HostError> {
        let _ = (state, now);
        Ok(())
    }
}

/// What a list of runs shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// Name of its workflow.
    pub workflow: String,
    /// Who submitted it.
    pub client_id: String,
    /// Its state.
    pub status: RunStatus,
    /// Number of tasks in the document.
    pub tasks: u32,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl RunSummary {
    /// The summary of a state.
    pub fn of(state: &RunState) -> RunSummary {
        RunSummary {
            run: state.id(),
            workflow: state.workflow.name.clone(),
            client_id: state.submission.client_id.clone(),
            status: state.status,
            tasks: u32::try_from(state.workflow.tasks.len()).unwrap_or(u32::MAX),
            submitted_at: state.submitted_at,
            finished_at: state.finished_at,
        }
    }
}

/// Which runs to list. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunQuery {
    /// In one of these states; empty: in any.
    pub statuses: Vec<RunStatus>,
    /// Submitted by this client.
    pub client_id: Option<String>,
    /// Of the workflow with this name.
    pub workflow: Option<String>,
    /// Older than this run: the cursor of the next page.
    pub before: Option<RunId>,
    /// At most so many, 1 to [`RunQuery::LIMIT_MAX`].
    pub limit: u32,
}

impl RunQuery {
    /// Most runs in one answer.
    pub const LIMIT_MAX: u32 = 1_000;
}
