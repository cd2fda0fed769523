//! The summary of a run as attributes of its first append.

use orchestrator_core::run::RunStatus;
use orchestrator_engine::ports::run_index::RunSummary;
use orchestrator_engine::sweep::CHECK_FIRST_MS;

use super::Store;
use crate::fault::{Fault, Kind};
use crate::table::item::{Item, number, number_of, text, text_of, time_of};
use crate::table::keys::{Key, PK, due_shard, run_of};

pub(super) const CLIENT: &str = "client";
pub(super) const WORKFLOW: &str = "workflow";
pub(super) const STATUS: &str = "status";
const STATUS_SEQ: &str = "status_seq";
const TASKS: &str = "tasks";
const SUBMITTED_AT: &str = "submitted_at";
const FINISHED_AT: &str = "finished_at";
pub(super) const DUE_SHARD: &str = "due_shard";
pub(super) const DUE_AT: &str = "due_at";

/// What an update of a summary is expected to write, bytes: the first append with a short record.
pub(super) const BYTES_USUAL: usize = 1_000;

/// When the summary is written, relative to the append that changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// Adds the summary to a first append; returns how many index entries that makes.
pub(super) fn write_into(item: &mut Item, summary: &RunSummary) -> u64 {
    let RunSummary {
        run,
        workflow,
        client_id,
        status,
        tasks,
        submitted_at,
        finished_at,
    } = summary;
    let mut set = |name: &str, value| drop(item.insert(name.to_owned(), value));
    set(CLIENT, text(client_id));
    set(WORKFLOW, text(workflow));
    set(STATUS, text(status.as_str()));
    set(STATUS_SEQ, number(1));
    set(TASKS, number(tasks));
    set(SUBMITTED_AT, number(submitted_at.0));
    if let Some(finished_at) = finished_at {
        set(FINISHED_AT, number(finished_at.0));
    }
    if status.is_terminal() {
        return 1;
    }
    set(DUE_SHARD, text(due_shard(*run)));
    set(DUE_AT, number(submitted_at.plus_millis(CHECK_FIRST_MS).0));
    2
}

/// The summary of an item, if it has one.
pub(super) fn read(item: &Item) -> Result<Option<RunSummary>, Fault> {
    if !item.contains_key(STATUS) {
        return Ok(None);
    }
    let malformed = |name: &str| Fault {
        kind: Kind::Fatal,
        detail: format!("the summary of a run has no proper '{name}' (was it written by another program?)"),
    };
    let status = text_of(item, STATUS)?;
    let status = RunStatus::from_name(status);
    Ok(Some(RunSummary {
        run: run_of(text_of(item, PK)?).ok_or_else(|| malformed(PK))?,
        workflow: text_of(item, WORKFLOW)?.to_owned(),
        client_id: text_of(item, CLIENT)?.to_owned(),
        status: status.ok_or_else(|| malformed(STATUS))?,
        tasks: number_of(item, TASKS)?,
        submitted_at: time_of(item, SUBMITTED_AT)?.ok_or_else(|| malformed(SUBMITTED_AT))?,
        finished_at: time_of(item, FINISHED_AT)?,
    }))
}

/// Whether the item shows the run as it was after append `seq`, and knows whether to look at it again.
pub(super) fn shows(item: &Item, summary: &RunSummary, seq: u64) -> bool {
    let shown: u64 = number_of(item, STATUS_SEQ).unwrap_or(0);
    let has_status = text_of(item, STATUS) == Ok(summary.status.as_str());
    let is_looked_at = item.contains_key(DUE_AT);
    shown > seq || (has_status && is_looked_at != summary.status.is_terminal())
}

impl Store {
    /// Shows the run as it is after append `seq`, unless a later append has been shown.
    pub(super) async fn show(&self, summary: &RunSummary, seq: u64, moment: Moment) -> Result<bool, Fault> {
        let mut sets = vec![
            (CLIENT, text(&summary.client_id)),
            (WORKFLOW, text(&summary.workflow)),
            (STATUS, text(summary.status.as_str())),
            (STATUS_SEQ, number(seq)),
            (TASKS, number(summary.tasks)),
            (SUBMITTED_AT, number(summary.submitted_at.0)),
        ];
        let mut removes = Vec::new();
        match summary.finished_at {
            Some(at) => sets.push((FINISHED_AT, number(at.0))),
            None => removes.push(FINISHED_AT),
        }
        let due = summary.submitted_at.plus_millis(CHECK_FIRST_MS);
        let mut keep_due = "";
        if summary.status.is_terminal() {
            removes.extend([DUE_SHARD, DUE_AT]);
        } else {
            sets.push((DUE_SHARD, text(due_shard(summary.run))));
            keep_due = ", #due_at = if_not_exists(#due_at, :due_at)";
        }
        let assignments: Vec<String> = sets
            .iter()
            .map(|(name, _)| format!("#{name} = :{name}"))
            .collect();
        let mut expression = format!("SET {}{keep_due}", assignments.join(", "));
        if !removes.is_empty() {
            let names: Vec<String> = removes.iter().map(|name| format!("#{name}")).collect();
            expression = format!("{expression} REMOVE {}", names.join(", "));
        }
        let not_later = match moment {
            Moment::Before => "<",
            Moment::After => "<=",
        };
        let condition = format!(
            "attribute_exists({PK}) AND (attribute_not_exists(#{STATUS_SEQ}) OR #{STATUS_SEQ} {not_later} :{STATUS_SEQ})"
        );
        let mut update = self.table.update(&Key::append(summary.run, 1));
        for name in sets.iter().map(|(name, _)| *name).chain(removes) {
            update = update.expression_attribute_names(format!("#{name}"), name);
        }
        for (name, value) in sets {
            update = update.expression_attribute_values(format!(":{name}"), value);
        }
        if !keep_due.is_empty() {
            update = update
                .expression_attribute_names("#due_at", DUE_AT)
                .expression_attribute_values(":due_at", number(due.0));
        }
        let update = update
            .update_expression(expression)
            .condition_expression(condition);
        self.table.apply(update, BYTES_USUAL, 2).await
    }
}
