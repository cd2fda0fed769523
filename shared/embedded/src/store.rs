//! What may be lost: remembered translations, plans that were shown, budgets. A SQLite file of its own beside the journals.
//!
//! It is not flushed to the disk with every write, it has a greatest size, and one that cannot be read is begun anew.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Cache;
use orchestrator_engine::ports::cache::VALUE_BYTES_MAX;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use crate::workers::Workers;

/// Name of the file in the data directory.
pub(crate) const FILE_NAME: &str = "cache.sqlite";

/// Pages of 4 KiB the file may have: 256 MiB. Beyond them nothing is stored until something has expired.
const PAGES_MAX: i64 = 65_536;
/// Expired entries deleted for a new one.
const EXPIRED_MAX: u32 = 16;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries (
        key        TEXT PRIMARY KEY,
        value      BLOB NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS entries_by_expiry ON entries (expires_at);
";

/// Values by key until they expire. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LossyStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    workers: Workers,
    /// Opened by the first use.
    connection: Mutex<Option<Connection>>,
}

impl LossyStore {
    /// The store of a data directory. Nothing is opened before it is used.
    pub fn new(data_dir: &Path) -> LossyStore {
        LossyStore(Arc::new(Inner {
            file: data_dir.join(FILE_NAME),
            workers: Workers::new("cache", 1),
            connection: Mutex::new(None),
        }))
    }

    /// Forgets every entry whose key begins so, and tells how many there were.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub async fn forget(&self, prefix: &str) -> Result<u64, HostError> {
        let (from, to) = range(prefix);
        let forget = move |connection: &Connection| {
            let forgotten =
                connection.execute("DELETE FROM entries WHERE key >= ?1 AND key < ?2", (from, to))?;
            Ok(forgotten as u64)
        };
        self.with(forget).await
    }

    /// How many entries have a key that begins so.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub async fn count(&self, prefix: &str, now: Timestamp) -> Result<u64, HostError> {
        let (from, to) = range(prefix);
        let count = move |connection: &Connection| {
            connection.query_row(
                "SELECT count(*) FROM entries WHERE key >= ?1 AND key < ?2 AND expires_at > ?3",
                params![from, to, now.0],
                |row| row.get::<_, i64>(0),
            )
        };
        Ok(u64::try_from(self.with(count).await?).unwrap_or(0))
    }

    /// Does something with the database, on a thread of its own.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, HostError> {
        let (sender, receiver) = oneshot::channel();
        let inner = Arc::clone(&self.0);
        let job = move || {
            let done = inner.work(work);
            // Before anybody hears of it: whoever then drops the store has closed the file.
            drop(inner);
            drop(sender.send(done));
        };
        self.0.workers.run(job).map_err(|error| failed(&error))?;
        let given_up = |_| failed(&"the work was given up");
        receiver.await.map_err(given_up)?.map_err(|error| failed(&error))
    }
}

impl Inner {
    fn work<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, rusqlite::Error> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_none() {
            *connection = Some(self.open()?);
        }
        let Some(open) = connection.as_ref() else {
            return Err(rusqlite::Error::InvalidQuery);
        };
        let done = work(open);
        if let Err(rusqlite::Error::SqliteFailure(error, _)) = &done
            && matches!(
                error.code,
                rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase
            )
        {
            *connection = None;
        }
        done
    }

    /// Opens the file; one that is no database of ours is begun anew.
    fn open(&self) -> Result<Connection, rusqlite::Error> {
        self.try_open().or_else(|error| {
            tracing::warn!(file = %self.file.display(), %error, "the cache cannot be read and is begun anew");
            for end in ["", "-wal", "-shm"] {
                let mut file = self.file.as_os_str().to_owned();
                file.push(end);
                // It may not be there.
                let _ = std::fs::remove_file(file);
            }
            self.try_open()
        })
    }

    fn try_open(&self) -> Result<Connection, rusqlite::Error> {
        let connection = Connection::open(&self.file)?;
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "max_page_count", PAGES_MAX)?;
        connection.execute_batch(SCHEMA)?;
        Ok(connection)
    }
}

impl Cache for LossyStore {
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, HostError> {
        let key = key.to_owned();
        let get = move |connection: &Connection| {
            connection
                .prepare_cached("SELECT value FROM entries WHERE key = ?1 AND expires_at > ?2")?
                .query_row(params![key, now.0], |row| row.get(0))
                .optional()
        };
        self.with(get).await
    }

    async fn put(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), HostError> {
        fits(value)?;
        let (key, value) = (key.to_owned(), value.to_vec());
        let put = move |connection: &Connection| {
            delete_expired(connection, now)?;
            connection
                .prepare_cached(
                    "INSERT INTO entries (key, value, expires_at) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (key) DO UPDATE SET value = ?2, expires_at = ?3",
                )?
                .execute(params![key, value, expires_at.0])
                .map(drop)
        };
        self.with(put).await
    }

    async fn claim(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, HostError> {
        fits(value)?;
        let (key, value) = (key.to_owned(), value.to_vec());
        let claim = move |connection: &Connection| {
            delete_expired(connection, now)?;
            let changed = connection
                .prepare_cached(
                    "INSERT INTO entries (key, value, expires_at) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (key) DO UPDATE SET value = ?2, expires_at = ?3 WHERE expires_at <= ?4",
                )?
                .execute(params![key, value, expires_at.0, now.0])?;
            Ok(changed > 0)
        };
        self.with(claim).await
    }

    async fn remove(&self, key: &str) -> Result<(), HostError> {
        let key = key.to_owned();
        self.with(move |connection| {
            connection
                .execute("DELETE FROM entries WHERE key = ?1", [key])
                .map(drop)
        })
        .await
    }
}

/// Makes room for a new entry.
fn delete_expired(connection: &Connection, now: Timestamp) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(
            "DELETE FROM entries WHERE key IN \
             (SELECT key FROM entries WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute(params![now.0, EXPIRED_MAX])
        .map(drop)
}

fn fits(value: &[u8]) -> Result<(), HostError> {
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(failed(&format!(
        "a value of {} bytes is longer than {VALUE_BYTES_MAX} (store it elsewhere)",
        value.len()
    )))
}

/// The keys that begin with `prefix`: from the first on, up to the second. No key has a letter beyond the ASCII ones.
fn range(prefix: &str) -> (String, String) {
    (prefix.to_owned(), format!("{prefix}\u{7f}"))
}

fn failed(detail: &impl ToString) -> HostError {
    HostError {
        what: "the cache",
        detail: detail.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn entries_outlive_the_process_and_a_damaged_file_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let until = NOW + 10_000;
        block_on(async {
            let store = LossyStore::new(folder.path());
            store.put("memo:a", b"1", NOW, until).await.unwrap();
            store.put("plan:b", b"2", NOW, until).await.unwrap();
            drop(store);
            let store = LossyStore::new(folder.path());
            assert_eq!(store.get("memo:a", NOW).await, Ok(Some(b"1".to_vec())));
            assert_eq!(store.count("memo:", NOW).await, Ok(1));
            assert_eq!(store.forget("memo:").await, Ok(1));
            assert_eq!(store.get("plan:b", NOW).await, Ok(Some(b"2".to_vec())));
            drop(store);
            let file = folder.path().join(FILE_NAME);
            std::fs::write(&file, vec![b'x'; 9_000]).unwrap();
            let store = LossyStore::new(folder.path());
            assert_eq!(store.get("plan:b", NOW).await, Ok(None));
            store.put("plan:b", b"3", NOW, until).await.unwrap();
            assert_eq!(store.get("plan:b", NOW).await, Ok(Some(b"3".to_vec())));
        });
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error_and_no_panic() {
        let store = LossyStore::new(Path::new("/proc/nowhere"));
        assert!(block_on(store.get("a", NOW)).is_err());
    }
}
