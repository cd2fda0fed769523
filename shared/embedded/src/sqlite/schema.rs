//! The tables, and how an older database becomes a current one.
//!
//! `journal` is append-only in commit order, so a group commit of many runs fills pages one after the other instead of
//! touching one page per run; runs are numbered so that an index entry costs a few bytes.

use std::path::Path;

use rusqlite::Connection;

use super::error::{Kind, StoreError};

/// Marks the file as ours (`PRAGMA application_id`): "MORC".
const APPLICATION_ID: i32 = 0x4d4f_5243;

/// Step `n` leads from schema version `n` to `n + 1`.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE runs (
        no           INTEGER PRIMARY KEY,
        id           BLOB NOT NULL UNIQUE,
        workflow     TEXT,
        client_id    TEXT,
        status       TEXT,
        tasks        INTEGER,
        submitted_at INTEGER,
        finished_at  INTEGER
    );
    CREATE INDEX runs_by_status ON runs (status, id);
    CREATE INDEX runs_by_client ON runs (client_id, id);
    CREATE INDEX runs_by_workflow ON runs (workflow, id);
    CREATE TABLE journal (
        pos    INTEGER PRIMARY KEY,
        run    INTEGER NOT NULL,
        seq    INTEGER NOT NULL,
        record BLOB NOT NULL
    );
    CREATE UNIQUE INDEX journal_by_run ON journal (run, seq);
    CREATE TABLE blobs (
        hash  BLOB PRIMARY KEY,
        bytes BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE idempotency (
        client_id  TEXT NOT NULL,
        key        TEXT NOT NULL,
        body_hash  BLOB NOT NULL,
        run        BLOB NOT NULL,
        expires_at INTEGER NOT NULL,
        PRIMARY KEY (client_id, key)
    ) WITHOUT ROWID;
    CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
",
    "
    ALTER TABLE runs ADD COLUMN agents BLOB;
",
    "
    CREATE TABLE alerts (
        about       TEXT PRIMARY KEY,
        client_id   TEXT NOT NULL,
        at          INTEGER NOT NULL,
        is_active   INTEGER NOT NULL,
        resolved_at INTEGER,
        late_ms     INTEGER,
        body        TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX alerts_by_time ON alerts (at);
    CREATE INDEX alerts_active ON alerts (at) WHERE is_active = 1;
    CREATE TABLE alerts_to_send (
        no   INTEGER PRIMARY KEY AUTOINCREMENT,
        id   TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL
    );
    CREATE TABLE tallies (
        agent  TEXT NOT NULL,
        action TEXT NOT NULL,
        body   TEXT NOT NULL,
        PRIMARY KEY (agent, action)
    ) WITHOUT ROWID;
",
];

/// Version of the schema this program writes.
pub const VERSION: usize = MIGRATIONS.len();

/// Brings the database to the current version, creating the tables in an empty one.
pub(super) fn migrate(connection: &mut Connection, file: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::of(file, &error);
    let found = version(connection, file)?;
    if found == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction().map_err(failed)?;
    for step in &MIGRATIONS[found..] {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction
        .pragma_update(None, "user_version", i64::try_from(VERSION).unwrap_or(i64::MAX))
        .map_err(failed)?;
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Refuses a database that readers cannot understand.
pub(super) fn check(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    match version(connection, file)? {
        VERSION => Ok(()),
        found => Err(StoreError::new(file, Kind::Older { found })),
    }
}

/// The version of the schema in the file; 0 for an empty database.
fn version(connection: &Connection, file: &Path) -> Result<usize, StoreError> {
    let pragma = |name| -> Result<i64, StoreError> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| StoreError::of(file, &error))
    };
    let found = usize::try_from(pragma("user_version")?).unwrap_or(usize::MAX);
    let application = pragma("application_id")?;
    let is_empty = pragma("schema_version")? == 0;
    match (found, application == i64::from(APPLICATION_ID)) {
        (0, false) if is_empty => Ok(0),
        (_, false) => Err(StoreError::new(file, Kind::Foreign)),
        (found, true) if found > VERSION => Err(StoreError::new(file, Kind::Newer { found })),
        (found, true) => Ok(found),
    }
}
