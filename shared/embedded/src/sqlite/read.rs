//! The queries, on any connection.

use std::path::Path;
use std::time::Duration;

use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunStatus;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::journal::StoredAppend;
use orchestrator_engine::ports::run_index::{RunQuery, RunSummary};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params_from_iter};

use super::error::StoreError;
use super::schema;

/// How long a statement waits for another process before it gives up.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that only reads. Opened for writing if possible, because a WAL left behind by a killed owner can only be
/// read by somebody who may create its index.
pub(crate) fn open(file: &Path) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::of(file, &error);
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_READ_WRITE)
        .or_else(|_| Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_READ_ONLY))
        .map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(failed)?;
    schema::check(&connection, file)?;
    Ok(connection)
}

pub(crate) fn load(
    connection: &Connection,
    run: RunId,
    after: u64,
) -> Result<Vec<StoredAppend>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, record FROM journal WHERE run = (SELECT no FROM runs WHERE id = ?1) AND seq > ?2 ORDER BY seq",
    )?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let append = |row: &Row<'_>| {
        Ok(StoredAppend {
            seq: to_seq(row.get(0)?),
            record: row.get(1)?,
        })
    };
    statement.query_map((run.to_bytes(), after), append)?.collect()
}

/// Sequence numbers are stored as SQLite's signed integers; a negative one would be a gap and is found as such.
pub(super) fn to_seq(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

pub(crate) fn blob(connection: &Connection, hash: [u8; 32]) -> Result<Option<Vec<u8>>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT bytes FROM blobs WHERE hash = ?1")?
        .query_row([hash], |row| row.get(0))
        .optional()
}

const SUMMARY: &str = "SELECT id, workflow, client_id, status, tasks, submitted_at, finished_at FROM runs WHERE status IS NOT NULL";

pub(crate) fn summary(connection: &Connection, run: RunId) -> Result<Option<RunSummary>, rusqlite::Error> {
    connection
        .prepare_cached(&format!("{SUMMARY} AND id = ?1"))?
        .query_row([run.to_bytes()], to_summary)
        .optional()
}

pub(crate) fn list(connection: &Connection, query: &RunQuery) -> Result<Vec<RunSummary>, rusqlite::Error> {
    let limit = query.limit.clamp(1, RunQuery::LIMIT_MAX) as usize;
    // One ordered scan per status, merged: `status IN (...)` would sort everything that matches.
    let mut found = match query.statuses.as_slice() {
        [] => list_one(connection, query, None, limit)?,
        statuses => {
            let mut found = Vec::new();
            for status in statuses {
                found.extend(list_one(connection, query, Some(*status), limit)?);
            }
            found
        }
    };
    found.sort_unstable_by_key(|summary| std::cmp::Reverse(summary.run));
    found.dedup_by_key(|summary| summary.run);
    found.truncate(limit);
    Ok(found)
}

fn list_one(
    connection: &Connection,
    query: &RunQuery,
    status: Option<RunStatus>,
    limit: usize,
) -> Result<Vec<RunSummary>, rusqlite::Error> {
    let conditions = [
        (
            " AND status = ?",
            status.map(|status| Value::from(status.as_str().to_owned())),
        ),
        (" AND client_id = ?", query.client_id.clone().map(Value::from)),
        (" AND workflow = ?", query.workflow.clone().map(Value::from)),
        (
            " AND id < ?",
            query.before.map(|run| Value::from(run.to_bytes().to_vec())),
        ),
    ];
    let mut sql = SUMMARY.to_owned();
    let mut values = Vec::new();
    for (condition, value) in conditions {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(value);
        }
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(Value::from(i64::try_from(limit).unwrap_or(i64::MAX)));
    let mut statement = connection.prepare_cached(&sql)?;
    statement
        .query_map(params_from_iter(values), to_summary)?
        .collect()
}

fn to_summary(row: &Row<'_>) -> Result<RunSummary, rusqlite::Error> {
    let status: String = row.get(3)?;
    let status = RunStatus::from_name(&status).ok_or_else(|| {
        let message = format!("'{status}' is not a state of a run");
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, message.into())
    })?;
    Ok(RunSummary {
        run: RunId::from_bytes(row.get(0)?),
        workflow: row.get(1)?,
        client_id: row.get(2)?,
        status,
        tasks: row.get(4)?,
        submitted_at: Timestamp(row.get(5)?),
        finished_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
    })
}
