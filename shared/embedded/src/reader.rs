//! Reading without the engine: on connections of its own, off the caller's thread.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::journal::{self, Append, StoredAppend};
use orchestrator_engine::ports::run_index::{RunQuery, RunSummary};
use orchestrator_engine::ports::{Journal, RunIndex};
use orchestrator_engine::views::{AgentView, LateView, SlaStats, SlaView};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::agents::files::{Log, LogError, RunFiles};
use crate::data_dir::DataDir;
use crate::sqlite::alerts::{self, ListedAlert, Which};
use crate::sqlite::{Kind, StoreError, read};
use crate::workers::Workers;

/// Reads journals, the index of runs and logs; sees everything that was acknowledged before the call. Cheap to clone.
///
/// The futures need no runtime: the work is done by threads of the reader's own.
#[derive(Debug, Clone)]
pub struct Reader(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: DataDir,
    workers: Workers,
    /// Connections nobody uses at the moment.
    idle: Mutex<Vec<Connection>>,
}

/// Reads at a time; further ones wait in line.
const THREADS_MAX: usize = 4;

impl Reader {
    /// A reader of the data directory `root`, whether or not a process owns it.
    ///
    /// # Errors
    /// When there is no database that this program can read.
    pub fn open(root: &Path) -> Result<Reader, StoreError> {
        Reader::on(DataDir::new(root))
    }

    pub(crate) fn on(dir: DataDir) -> Result<Reader, StoreError> {
        let connection = read::open(&dir.database())?;
        Ok(Reader(Arc::new(Inner {
            dir,
            workers: Workers::new("reader", THREADS_MAX),
            idle: Mutex::new(vec![connection]),
        })))
    }

    /// What an attempt printed. `attempt` is (epoch, attempt); `None`: the latest.
    ///
    /// # Errors
    /// When there is no such log, or it cannot be read.
    pub async fn log(&self, run: RunId, task: &str, attempt: Option<(u32, u32)>) -> Result<Log, LogError> {
        let files = RunFiles::new(&self.0.dir.runs(), run);
        let task = task.to_owned();
        let unavailable = |_| LogError::Unavailable;
        let (sender, receiver) = oneshot::channel();
        let read = move || drop(sender.send(files.log(&task, attempt)));
        self.0.workers.run(read).map_err(|_| LogError::Unavailable)?;
        receiver.await.map_err(unavailable)?
    }

    /// What is late and how long tasks take, as it was stored last.
    pub(crate) async fn sla(
        &self,
        client: Option<&str>,
        limit: u32,
        now: Timestamp,
    ) -> Result<SlaView, HostError> {
        const ACTIVE_MAX: u32 = 200;
        let client = client.map(str::to_owned);
        let read = move |connection: &Connection| {
            let client = client.as_deref();
            let list = |which, limit| {
                let rows = alerts::list(connection, which, client, limit)?;
                let view = |row: ListedAlert| LateView::of(row.alert, row.resolved_at, row.late_ms, now);
                Ok::<_, rusqlite::Error>(rows.into_iter().map(view).collect())
            };
            let tallies = alerts::tallies(connection)?.into_iter();
            let tallies = tallies.map(|(agent, action, tally)| ((agent, action), tally));
            Ok(SlaView {
                active: list(Which::Active, ACTIVE_MAX)?,
                active_total: alerts::count_active(connection, client)?,
                at_risk: Vec::new(),
                stalled: Vec::new(),
                recent: list(Which::Recent, limit)?,
                agents: AgentView::all(&tallies.collect()),
                note: None,
            })
        };
        self.query(read).await.map_err(StoreError::into_host)
    }

    /// Deadlines in a few numbers, as they were stored last.
    pub(crate) async fn sla_stats(&self) -> Result<SlaStats, HostError> {
        let read = |connection: &Connection| {
            let tallies = alerts::tallies(connection)?;
            Ok(SlaStats {
                active: alerts::count_active(connection, None)?,
                attempts: tallies.iter().map(|(.., tally)| tally.attempts).sum(),
                within: tallies.iter().map(|(.., tally)| tally.within).sum(),
            })
        };
        self.query(read).await.map_err(StoreError::into_host)
    }

    /// Runs a query on one of the connections, on one of the threads.
    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = |detail: String| StoreError {
            file: self.0.dir.database(),
            kind: Kind::Other(detail),
        };
        let (sender, receiver) = oneshot::channel();
        let inner = Arc::clone(&self.0);
        let job = move || drop(sender.send(inner.query(query)));
        self.0.workers.run(job).map_err(|error| gone(error.to_string()))?;
        receiver
            .await
            .unwrap_or_else(|_| Err(gone("the query was dropped".to_owned())))
    }
}

impl Inner {
    fn query<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => read::open(&self.dir.database())?,
        };
        let result = query(&connection).map_err(|error| StoreError::of(&self.dir.database(), &error));
        // A connection that met an error is not used again.
        if result.is_ok() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(connection);
        }
        result
    }
}

impl Journal for Reader {
    async fn load(&self, run: RunId, after: u64) -> Result<Vec<StoredAppend>, journal::Error> {
        self.query(move |connection| read::load(connection, run, after))
            .await
            .map_err(|error| error.into_journal(run, after))
    }

    /// Always refused: only the engine writes.
    async fn append(&self, append: Append) -> Result<(), journal::Error> {
        let message = format!("append {} of run {} came to a reader", append.seq, append.run);
        Err(journal::Error::Unavailable(message))
    }

    async fn blob(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, journal::Error> {
        self.query(move |connection| read::blob(connection, hash))
            .await
            .map_err(|error| journal::Error::Unavailable(error.to_string()))
    }
}

impl RunIndex for Reader {
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>, HostError> {
        self.query(move |connection| read::summary(connection, run))
            .await
            .map_err(StoreError::into_host)
    }

    async fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, HostError> {
        let query = query.clone();
        self.query(move |connection| read::list(connection, &query))
            .await
            .map_err(StoreError::into_host)
    }
}
