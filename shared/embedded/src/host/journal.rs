//! Group commit: appends and claims wait together and become durable together.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Journal;
use orchestrator_engine::ports::idempotency::{Claim, Claimed};
use orchestrator_engine::ports::journal::{Append, Error, StoredAppend};
use orchestrator_engine::sla::Tallies;
use tokio::sync::oneshot;

use super::slot::Slot;
use crate::sqlite::{Batch, Store};

/// The journal port: `append` joins the batch and returns after [`GroupJournal::commit`].
#[derive(Debug)]
pub(crate) struct GroupJournal {
    store: Rc<RefCell<Store>>,
    waiting: RefCell<Waiting>,
    appends: Cell<u64>,
    commits: Cell<u64>,
    tallies: Rc<RefCell<Tallies>>,
    /// When tallies that have changed are stored.
    tallies_due: Cell<Option<Timestamp>>,
}

/// How long tallies may have changed before they are stored, milliseconds: what a killed process forgets of them.
const TALLIES_MS: u64 = 1_000;

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    appended: Vec<Rc<Slot<Result<(), Error>>>>,
    claimed: Vec<oneshot::Sender<Result<Claimed, HostError>>>,
}

impl GroupJournal {
    pub(crate) fn new(store: Rc<RefCell<Store>>, tallies: Rc<RefCell<Tallies>>) -> GroupJournal {
        GroupJournal {
            store,
            waiting: RefCell::default(),
            appends: Cell::new(0),
            commits: Cell::new(0),
            tallies,
            tallies_due: Cell::new(None),
        }
    }

    /// Appends and commits so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.appends.get(), self.commits.get())
    }

    /// Whether anything waits for a commit.
    pub(crate) fn has_waiting(&self) -> bool {
        let waiting = self.waiting.borrow();
        !waiting.appended.is_empty() || !waiting.claimed.is_empty() || waiting.batch.has_notes()
    }

    /// Notes that an alert need not be sent any more.
    pub(crate) fn sent(&self, id: String) {
        self.waiting.borrow_mut().batch.sent.push(id);
    }

    /// When tallies are to be stored next.
    pub(crate) fn next_tallies(&self) -> Option<Timestamp> {
        self.tallies_due.get()
    }

    /// Adds tallies to the batch if they have been different for long enough by `now`.
    pub(crate) fn take_tallies(&self, now: Timestamp) {
        let mut tallies = self.tallies.borrow_mut();
        match self.tallies_due.get() {
            _ if !tallies.has_changed() => self.tallies_due.set(None),
            Some(due) if due <= now => {
                self.tallies_due.set(None);
                self.waiting.borrow_mut().batch.tallies = tallies.take_changed();
            }
            None if now == Timestamp(i64::MAX) => {
                self.waiting.borrow_mut().batch.tallies = tallies.take_changed();
            }
            None => self.tallies_due.set(Some(now + TALLIES_MS)),
            Some(_) => {}
        }
    }

    /// Adds a claim to the batch.
    pub(crate) fn claim(&self, claim: Claim, reply: oneshot::Sender<Result<Claimed, HostError>>) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.batch.claims.push(claim);
        waiting.claimed.push(reply);
    }

    /// Makes everything that waits durable, and lets those who wait for it go on. Whether there was anything.
    pub(crate) fn commit(&self) -> bool {
        let Waiting {
            batch,
            appended,
            claimed,
        } = self.waiting.take();
        if appended.is_empty() && claimed.is_empty() && !batch.has_notes() {
            return false;
        }
        self.appends.set(self.appends.get() + appended.len() as u64);
        self.commits.set(self.commits.get() + 1);
        let result = self.store.borrow_mut().commit(&batch);
        match result {
            Ok(committed) => {
                for (slot, result) in appended.iter().zip(committed.appends) {
                    slot.set(result);
                }
                for (reply, answer) in claimed.into_iter().zip(committed.claims) {
                    // Whoever asked may have gone away.
                    let _ = reply.send(Ok(answer));
                }
            }
            Err(error) => {
                tracing::error!(%error, appends = appended.len(), "a commit failed; it is tried again");
                self.tallies.borrow_mut().put_back(&batch.tallies);
                for slot in &appended {
                    slot.set(Err(error.clone()));
                }
                for reply in claimed {
                    let _ = reply.send(Err(HostError {
                        what: "the store",
                        detail: error.to_string(),
                    }));
                }
            }
        }
        true
    }
}

impl Journal for GroupJournal {
    async fn load(&self, run: RunId, after: u64) -> Result<Vec<StoredAppend>, Error> {
        self.store.borrow().load(run, after)
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        let slot = Rc::new(Slot::default());
        {
            let mut waiting = self.waiting.borrow_mut();
            waiting.batch.appends.push(append);
            waiting.appended.push(Rc::clone(&slot));
        }
        slot.wait().await
    }

    async fn blob(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, Error> {
        let blob = self.store.borrow().blob(hash);
        blob.map_err(|error| Error::Unavailable(error.to_string()))
    }
}
