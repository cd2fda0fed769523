//! A data directory that nobody owns, behind the HTTP API.

use std::path::Path;
use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::policy::Policy;
use orchestrator_core::run::{Command, Report};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::api::backend::{Logs, Stats};
use orchestrator_engine::api::{Backend, Intake};
use orchestrator_engine::error::{Error, HostError};
use orchestrator_engine::ports::idempotency::{Claim, Claimed};
use orchestrator_engine::ports::{Cache as _, Clock as _};
use orchestrator_engine::submit::Request;
use orchestrator_engine::token::TokenKey;
use orchestrator_engine::views::{PoolList, PoolView, SlaView};

use super::logs;
use crate::clock::SystemClock;
use crate::reader::Reader;
use crate::sqlite::StoreError;
use crate::store::LossyStore;

/// A data directory that nobody owns, as the API sees it: everything can be read, nothing changes.
#[derive(Debug)]
pub struct ReadOnlyBackend {
    reader: Reader,
    policy: Arc<Policy>,
    intake: Intake,
    store: LossyStore,
}

impl ReadOnlyBackend {
    /// Opens the data directory for reading.
    ///
    /// # Errors
    /// When there is no database that this program can read.
    pub fn open(data_dir: &Path, policy: Arc<Policy>, intake: Intake) -> Result<ReadOnlyBackend, StoreError> {
        Ok(ReadOnlyBackend {
            store: LossyStore::new(data_dir),
            reader: Reader::open(data_dir)?,
            policy,
            intake,
        })
    }
}

impl Backend for ReadOnlyBackend {
    type Journal = Reader;
    type RunIndex = Reader;

    fn journal(&self) -> &Reader {
        &self.reader
    }

    fn run_index(&self) -> &Reader {
        &self.reader
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn new_run_id(&self) -> RunId {
        SystemClock.new_run_id()
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn tokens(&self) -> Option<&TokenKey> {
        None
    }

    fn intake(&self) -> &Intake {
        &self.intake
    }

    async fn submit(&self, _request: Request) -> Result<(), Error> {
        Err(read_only().into())
    }

    async fn operate(&self, _run: RunId, _command: Command) -> Result<(), Error> {
        Err(read_only().into())
    }

    async fn report(&self, _run: RunId, _report: Report) -> Result<(), Error> {
        Err(read_only().into())
    }

    /// Nobody works, so nobody holds a slot.
    async fn pools(&self) -> Result<PoolList, HostError> {
        let free = |(pool, capacity): (&String, &u32)| PoolView {
            pool: pool.clone(),
            capacity: *capacity,
            used: 0,
            waiting: 0,
            holders: Vec::new(),
            waiters: Vec::new(),
        };
        let pools = self.policy.capacities().iter().map(free).collect();
        Ok(PoolList { pools })
    }

    async fn stats(&self) -> Result<Option<Stats>, HostError> {
        Err(HostError {
            what: "the tally of the host",
            detail: "no process works on this data directory (start 'orchestrator serve')".to_owned(),
        })
    }

    async fn sla(&self, client_id: Option<&str>, limit: u32) -> Result<SlaView, HostError> {
        let mut view = self.reader.sla(client_id, limit, self.now()).await?;
        view.note =
            Some("no process works on this data directory, so nothing is at risk or stalled".to_owned());
        Ok(view)
    }

    async fn logs(&self, key: AttemptKey, task: &str, bytes_max: u64) -> Result<Option<Logs>, HostError> {
        logs(&self.reader, key, task, bytes_max).await
    }

    async fn keep(&self, _key: &str, _value: &[u8], _until: Timestamp) -> Result<(), HostError> {
        Err(read_only())
    }

    async fn kept(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.store.get(key, self.now()).await
    }

    async fn forget_memos(&self) -> Result<Option<u64>, HostError> {
        Err(read_only())
    }

    async fn forget_results(&self) -> Result<Option<u64>, HostError> {
        Err(read_only())
    }

    async fn claim(&self, _claim: Claim) -> Result<Claimed, HostError> {
        Err(read_only())
    }

    async fn take_token(&self, _client_id: &str) -> Result<Option<u64>, HostError> {
        Ok(None)
    }
}

fn read_only() -> HostError {
    HostError {
        what: "the data directory",
        detail: "it is open for reading only".to_owned(),
    }
}
