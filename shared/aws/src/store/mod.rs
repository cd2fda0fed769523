//! Journals, blobs and the indexes of runs, on the table.
//!
//! An append is one item, stored under the condition that its number is free: of two writers one wins, without a
//! transaction. The first append carries the run's summary, so a submission is one write. When a later append changes the
//! run's state, the index is updated before it if the run goes on (a hint too early is harmless: the sweep looks and finds
//! nothing) and after it if the run has ended (a hint too late is harmless: the sweep looks and repairs it).
//! `status_seq`, the append that made the state, keeps a slow writer from overwriting what a later append has shown.
//!
//! There are no snapshots: a process that has loaded a run reads only what was appended since. Reading 10 000 tasks'
//! journal from the start costs about 600 read units and three pages, once per process.

mod alerts;
mod blobs;
mod due;
mod journal;
mod looks;
mod runs;
mod summary;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::journal::Error;

use crate::fault::{Fault, Kind};
use crate::figures::Figures;
use crate::payloads::Payloads;
use crate::table::Table;

/// Journals and indexes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    table: Table,
    payloads: Payloads,
    figures: Figures,
    known: Arc<Mutex<Known>>,
}

/// What this process has seen in the table, so that it is not asked for again.
#[derive(Debug, Default)]
struct Known {
    blobs: HashSet<[u8; 32]>,
    clients: HashSet<String>,
    usual: looks::Usual,
}

/// Most entries of each; when there are more, all are forgotten and asked for again.
const KNOWN_MAX: usize = 10_000;

impl Store {
    /// Journals in `table`; what is too large for it goes to `payloads`. Looks compare with `figures`.
    pub fn new(table: Table, payloads: Payloads, figures: Figures) -> Store {
        Store {
            table,
            payloads,
            figures,
            known: Arc::default(),
        }
    }

    fn knows<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, add: impl FnOnce(&mut Known) -> bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.blobs.len() >= KNOWN_MAX || known.clients.len() >= KNOWN_MAX {
            *known = Known::default();
        }
        add(&mut known);
    }
}

/// The journal's error for a call after which nothing is stored.
fn unavailable(fault: Fault) -> Error {
    Error::Unavailable(fault.detail)
}

/// The journal's error for an append.
fn of_append(fault: Fault) -> Error {
    match fault.kind {
        Kind::Transient => Error::Unknown(fault.detail),
        Kind::Conflict | Kind::Throttled | Kind::Fatal => Error::Unavailable(fault.detail),
    }
}

fn of_index(fault: Fault) -> HostError {
    fault.in_part("the index of runs")
}
