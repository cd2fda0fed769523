//! Lists of runs, page by page.

use std::fmt;
use std::str::FromStr;

use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunStatus;
use orchestrator_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use crate::ports::run_index::RunSummary;

/// A page of runs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunSummaryView>,
    /// Pass it as `?cursor=` to get the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunSummary")]
pub struct RunSummaryView {
    /// The run.
    #[schemars(with = "String")]
    pub id: RunId,
    /// Name of the workflow.
    pub workflow: String,
    /// State of the run.
    #[schemars(schema_with = "super::run::status_schema")]
    pub status: RunStatus,
    /// Who submitted it.
    pub client_id: String,
    /// Tasks of the workflow.
    pub tasks: u32,
    /// When it was submitted.
    pub submitted_at: At,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<At>,
    /// From submission to the end, or until now.
    pub duration_ms: u64,
}

impl RunSummaryView {
    /// The view of a summary.
    pub fn of(summary: &RunSummary, now: Timestamp) -> RunSummaryView {
        RunSummaryView {
            id: summary.run,
            workflow: summary.workflow.clone(),
            status: summary.status,
            client_id: summary.client_id.clone(),
            tasks: summary.tasks,
            submitted_at: At(summary.submitted_at),
            finished_at: summary.finished_at.map(At),
            duration_ms: summary
                .finished_at
                .unwrap_or(now)
                .millis_since(summary.submitted_at),
        }
    }
}

impl RunList {
    /// The page of at most `limit` runs, made from up to `limit + 1` summaries.
    pub fn of(summaries: &[RunSummary], limit: usize, now: Timestamp) -> RunList {
        let shown = &summaries[..summaries.len().min(limit)];
        let next = (summaries.len() > limit).then(|| shown.last()).flatten();
        RunList {
            runs: shown
                .iter()
                .map(|summary| RunSummaryView::of(summary, now))
                .collect(),
            next_cursor: next.map(|summary| Cursor(summary.run).to_string()),
        }
    }
}

/// Where a page of runs ends. Opaque to clients: its form may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub RunId);

/// The text is not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one this server gave out (leave it out to begin with the newest run)")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c1{}", hex::encode(self.0.to_bytes()))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Cursor, CursorError> {
        let digits = text
            .strip_prefix("c1")
            .filter(|digits| digits.len() == 32 && digits.is_ascii());
        let number = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
        let number = number.ok_or(CursorError)?;
        Ok(Cursor(RunId::from_bytes(number.to_be_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(created_ms: u64) -> RunSummary {
        RunSummary {
            run: RunId::from_parts(created_ms, 7),
            workflow: "w".to_owned(),
            client_id: "c".to_owned(),
            status: RunStatus::Running,
            tasks: 1,
            submitted_at: Timestamp(0),
            finished_at: None,
        }
    }

    #[test]
    fn the_cursor_names_the_last_run_shown_and_only_when_there_are_more() {
        let summaries = [summary(3), summary(2), summary(1)];
        let page = RunList::of(&summaries, 2, Timestamp(5));
        assert_eq!(page.runs.len(), 2);
        assert_eq!(page.next_cursor.unwrap().parse(), Ok(Cursor(summaries[1].run)));
        assert_eq!(RunList::of(&summaries, 3, Timestamp(5)).next_cursor, None);
    }

    #[test]
    fn other_text_is_no_cursor() {
        for text in [
            "",
            "c1",
            "c1zz",
            "c2ffffffffffffffffffffffffffffffff",
            "c1+fffffffffffffffffffffffffffffff é",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }
}
