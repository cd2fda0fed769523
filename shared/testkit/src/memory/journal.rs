//! Journals, blobs and the index of runs.

use std::collections::BTreeMap;

use orchestrator_core::ids::RunId;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::journal::{Append, Error, StoredAppend};
use orchestrator_engine::ports::run_index::{RunQuery, RunSummary};
use orchestrator_engine::ports::{Journal, RunIndex};

use super::Shared;

/// Journals in memory; "durable" for as long as a clone lives.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal(Shared<Store>);

#[derive(Debug, Default)]
struct Store {
    runs: BTreeMap<RunId, Vec<StoredAppend>>,
    summaries: BTreeMap<RunId, RunSummary>,
    blobs: BTreeMap<[u8; 32], Vec<u8>>,
}

impl MemoryJournal {
    /// Every run that has a journal, oldest first.
    pub fn runs(&self) -> Vec<RunId> {
        self.0.lock().runs.keys().copied().collect()
    }

    /// Number of appends of a run.
    pub fn len(&self, run: RunId) -> u64 {
        self.0
            .lock()
            .runs
            .get(&run)
            .map_or(0, |appends| appends.len() as u64)
    }

    /// Whether nothing was ever appended.
    pub fn is_empty(&self) -> bool {
        self.0.lock().runs.is_empty()
    }

    /// The appends above `after`, without waiting.
    pub fn read(&self, run: RunId, after: u64) -> Vec<StoredAppend> {
        let store = self.0.lock();
        let appends = store.runs.get(&run).map(Vec::as_slice).unwrap_or_default();
        let start = usize::try_from(after).unwrap_or(usize::MAX).min(appends.len());
        appends[start..].to_vec()
    }

    /// Makes the journal of a run unreadable from `seq` on, as a damaged disk would.
    pub fn corrupt(&self, run: RunId, seq: u64, record: Vec<u8>) {
        let mut store = self.0.lock();
        let append = store.runs.get_mut(&run).and_then(|appends| {
            let index = usize::try_from(seq).ok()?.checked_sub(1)?;
            appends.get_mut(index)
        });
        if let Some(append) = append {
            append.record = record;
        }
    }
}

impl Journal for MemoryJournal {
    async fn load(&self, run: RunId, after: u64) -> Result<Vec<StoredAppend>, Error> {
        Ok(self.read(run, after))
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        let Append {
            run,
            seq,
            record,
            summary,
            blobs,
            alerts: _,
        } = append;
        let mut store = self.0.lock();
        let last = store.runs.get(&run).map_or(0, |appends| appends.len() as u64);
        if seq != last + 1 {
            return Err(Error::Conflict { run, seq });
        }
        for blob in blobs {
            store
                .blobs
                .entry(blob.hash)
                .or_insert_with(|| blob.bytes.to_vec());
        }
        if let Some(summary) = summary {
            store.summaries.insert(run, summary);
        }
        store
            .runs
            .entry(run)
            .or_default()
            .push(StoredAppend { seq, record });
        Ok(())
    }

    async fn blob(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.lock().blobs.get(&hash).cloned())
    }
}

impl RunIndex for MemoryJournal {
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>, HostError> {
        Ok(self.0.lock().summaries.get(&run).cloned())
    }

    async fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, HostError> {
        let matches = |summary: &&RunSummary| {
            (query.statuses.is_empty() || query.statuses.contains(&summary.status))
                && query
                    .client_id
                    .as_ref()
                    .is_none_or(|client| *client == summary.client_id)
                && query
                    .workflow
                    .as_ref()
                    .is_none_or(|workflow| *workflow == summary.workflow)
                && query.before.is_none_or(|before| summary.run < before)
        };
        let store = self.0.lock();
        let newest_first = store.summaries.values().rev();
        Ok(newest_first
            .filter(matches)
            .take(query.limit as usize)
            .cloned()
            .collect())
    }
}
