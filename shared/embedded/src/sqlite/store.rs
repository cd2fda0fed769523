//! The one writer.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use orchestrator_core::ids::{IdMap, RunId};
use orchestrator_core::run::RunStatus;
use orchestrator_engine::ports::journal::{Append, Blob, Error, StoredAppend};
use orchestrator_engine::ports::run_index::{RunQuery, RunSummary};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

use super::batch::{ActiveRun, Batch, Committed};
use super::error::{Kind, StoreError};
use super::{log_file, read, schema};

/// The write connection. Everything in a [`Batch`] becomes durable with one commit.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    file: PathBuf,
    /// Last append of runs that go on. Only a shortcut: the unique index has the last word.
    heads: IdMap<RunId, Head>,
    /// Digest of the agents that new runs begin with.
    agents: Option<[u8; 32]>,
    /// Whether alerts are noted to be sent.
    sends_alerts: bool,
    /// Blobs known to be stored, so that a definition is not bound again for every run of it.
    blobs: HashSet<[u8; 32]>,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    /// Number of the run; `None` before its first append.
    no: Option<i64>,
    seq: u64,
}

const HEADS_MAX: usize = 100_000;
const BLOBS_MAX: usize = 1_000;

impl Store {
    /// Opens the database, creating it if need be, and brings it to the current schema.
    ///
    /// # Errors
    /// When it cannot be used; the error says why and what to do.
    pub fn open(file: &Path) -> Result<Store, StoreError> {
        let failed = |error| StoreError::of(file, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(file, flags).map_err(failed)?;
        connection.busy_timeout(read::BUSY_TIMEOUT).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(32);
        if connection.is_readonly("main").map_err(failed)? {
            return Err(StoreError::new(file, Kind::ReadOnly));
        }
        let mode: String = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
            .map_err(failed)?;
        if mode != "wal" {
            let detail = format!("the file system allows no write-ahead log, only '{mode}'");
            return Err(StoreError::new(file, Kind::CannotOpen(detail)));
        }
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(failed)?;
        schema::migrate(&mut connection, file)?;
        if let Err(error) = log_file::extend(file) {
            tracing::debug!(%error, "the write-ahead log was not extended; commits are a little slower at first");
        }
        Ok(Store {
            connection,
            file: file.to_owned(),
            heads: IdMap::default(),
            agents: None,
            sends_alerts: false,
            blobs: HashSet::new(),
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn load(&self, run: RunId, after: u64) -> Result<Vec<StoredAppend>, Error> {
        read::load(&self.connection, run, after).map_err(|error| self.error(&error).into_journal(run, after))
    }

    pub(crate) fn blob(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        read::blob(&self.connection, hash).map_err(|error| self.error(&error))
    }

    pub(crate) fn summary(&self, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        read::summary(&self.connection, run).map_err(|error| self.error(&error))
    }

    pub(crate) fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, StoreError> {
        read::list(&self.connection, query).map_err(|error| self.error(&error))
    }

    /// Makes the batch durable: one transaction, one flush to the disk. A lost race spoils its own item only.
    ///
    /// # Errors
    /// When nothing of it was stored, or (`Unknown`) when that is not known.
    pub(crate) fn commit(&mut self, batch: &Batch) -> Result<Committed, Error> {
        let result = self.try_commit(batch);
        if result.is_err() {
            self.heads.clear();
            self.blobs.clear();
            if !self.connection.is_autocommit() {
                // Fails only if the rollback has happened already.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
        }
        result
    }

    fn try_commit(&mut self, batch: &Batch) -> Result<Committed, Error> {
        let unavailable = |store: &Store, error: &rusqlite::Error| {
            Error::Unavailable(StoreError::of(&store.file, error).to_string())
        };
        self.execute("BEGIN IMMEDIATE")
            .map_err(|error| unavailable(self, &error))?;
        let mut committed = Committed {
            appends: Vec::with_capacity(batch.appends.len()),
            claims: Vec::new(),
        };
        for append in &batch.appends {
            let stored = self.append(append).map_err(|error| unavailable(self, &error))?;
            committed.appends.push(stored);
        }
        for claim in &batch.claims {
            let claimed = self.claim(claim).map_err(|error| unavailable(self, &error))?;
            committed.claims.push(claimed);
        }
        for id in &batch.sent {
            self.sent(id).map_err(|error| unavailable(self, &error))?;
        }
        for (agent, action, tally) in &batch.tallies {
            let stored = self.tally(agent, action, tally);
            stored.map_err(|error| unavailable(self, &error))?;
        }
        self.execute("COMMIT").map_err(|error| {
            let detail = StoreError::of(&self.file, &error).to_string();
            match error.sqlite_error_code() {
                Some(ErrorCode::SystemIoFailure) => Error::Unknown(detail),
                _ => Error::Unavailable(detail),
            }
        })?;
        Ok(committed)
    }

    fn append(&mut self, append: &Append) -> Result<Result<(), Error>, rusqlite::Error> {
        let conflict = Error::Conflict {
            run: append.run,
            seq: append.seq,
        };
        let head = self.head(append.run)?;
        if append.seq != head.seq + 1 {
            return Ok(Err(conflict));
        }
        let no = match self.number(append, head) {
            Err(error) if is_taken(&error) => return Ok(Err(conflict)),
            other => other?,
        };
        let seq = i64::try_from(append.seq).unwrap_or(i64::MAX);
        let inserted = self
            .connection
            .prepare_cached("INSERT INTO journal (run, seq, record) VALUES (?1, ?2, ?3)")?
            .execute(params![no, seq, append.record]);
        match inserted {
            Err(error) if is_taken(&error) => {
                self.heads.remove(&append.run);
                return Ok(Err(conflict));
            }
            other => other?,
        };
        for blob in &append.blobs {
            self.store_blob(blob)?;
        }
        for alert in &append.alerts {
            self.alert(alert, self.sends_alerts)?;
        }
        let has_ended = append
            .summary
            .as_ref()
            .is_some_and(|summary| summary.status.is_terminal());
        if has_ended {
            self.heads.remove(&append.run);
        } else {
            if self.heads.len() >= HEADS_MAX {
                self.heads.clear();
            }
            let head = Head {
                no: Some(no),
                seq: append.seq,
            };
            self.heads.insert(append.run, head);
        }
        Ok(Ok(()))
    }

    /// The last append of a run.
    fn head(&self, run: RunId) -> Result<Head, rusqlite::Error> {
        if let Some(head) = self.heads.get(&run) {
            return Ok(*head);
        }
        let no: Option<i64> = self
            .connection
            .prepare_cached("SELECT no FROM runs WHERE id = ?1")?
            .query_row([run.to_bytes()], |row| row.get(0))
            .optional()?;
        let seq = match no {
            None => 0,
            Some(no) => self
                .connection
                .prepare_cached("SELECT coalesce(max(seq), 0) FROM journal WHERE run = ?1")?
                .query_row([no], |row| row.get(0).map(read::to_seq))?,
        };
        Ok(Head { no, seq })
    }

    /// The run's number, with its summary brought up to date; a new run gets a row.
    fn number(&mut self, append: &Append, head: Head) -> Result<i64, rusqlite::Error> {
        match (head.no, &append.summary) {
            (Some(no), None) => Ok(no),
            (Some(no), Some(summary)) => {
                self.connection
                    .prepare_cached(
                        "UPDATE runs SET workflow = ?2, client_id = ?3, status = ?4, tasks = ?5, submitted_at = ?6, \
                         finished_at = ?7 WHERE no = ?1",
                    )?
                    .execute(params![
                        no,
                        summary.workflow,
                        summary.client_id,
                        summary.status.as_str(),
                        summary.tasks,
                        summary.submitted_at.0,
                        summary.finished_at.map(|at| at.0),
                    ])?;
                Ok(no)
            }
            (None, summary) => {
                let summary = summary.as_ref();
                self.connection
                    .prepare_cached(
                        "INSERT INTO runs (id, workflow, client_id, status, tasks, submitted_at, finished_at, agents) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    )?
                    .execute(params![
                        append.run.to_bytes(),
                        summary.map(|summary| &summary.workflow),
                        summary.map(|summary| &summary.client_id),
                        summary.map(|summary| summary.status.as_str()),
                        summary.map(|summary| summary.tasks),
                        summary.map(|summary| summary.submitted_at.0),
                        summary.and_then(|summary| summary.finished_at).map(|at| at.0),
                        self.agents,
                    ])?;
                Ok(self.connection.last_insert_rowid())
            }
        }
    }

    fn store_blob(&mut self, blob: &Blob) -> Result<(), rusqlite::Error> {
        if self.blobs.contains(&blob.hash) {
            return Ok(());
        }
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO blobs (hash, bytes) VALUES (?1, ?2)")?
            .execute(params![blob.hash, &*blob.bytes])?;
        if self.blobs.len() >= BLOBS_MAX {
            self.blobs.clear();
        }
        self.blobs.insert(blob.hash);
        Ok(())
    }

    /// From now on alerts are noted to be sent.
    pub(crate) fn send_alerts(&mut self) {
        self.sends_alerts = true;
    }

    /// From now on new runs are noted as begun with these agents.
    pub(crate) fn begin_with(&mut self, agents: [u8; 32]) {
        self.agents = Some(agents);
    }

    /// Runs that have not ended, oldest first.
    pub(crate) fn active(&self) -> Result<Vec<ActiveRun>, StoreError> {
        let mut runs = Vec::new();
        for status in RunStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            let mut statement = self
                .connection
                .prepare_cached("SELECT id, agents FROM runs WHERE status = ?1")
                .map_err(|error| self.error(&error))?;
            let found = statement
                .query_map([status.as_str()], |row| {
                    Ok(ActiveRun {
                        run: RunId::from_bytes(row.get(0)?),
                        agents: row.get(1)?,
                    })
                })
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| self.error(&error))?;
            runs.extend(found);
        }
        runs.sort_unstable_by_key(|active| active.run);
        Ok(runs)
    }

    /// Makes the disk look full beyond so many pages, for tests.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: Option<u32>) {
        let pages = pages.unwrap_or(u32::MAX - 1);
        self.connection
            .pragma_update(None, "max_page_count", pages)
            .expect("the pragma is known");
    }

    fn execute(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    pub(super) fn error(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::of(&self.file, error)
    }
}

fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}
